#pragma once
// The part of the CUDA runtime that native/cuda uses, on a CPU. Device memory starts as NaN and can
// be touched by kernels and copies only: anything else that reads or writes it ends in a
// segmentation fault, as on a GPU (runtime.cpp). Kernels and copies to the device run at once, or
// late (operations_stream.h); what a copy to the host brings is there after the host has waited and
// not before. A stream made with a priority has a thread of its own, which begins late what it is
// given (streams.h).

#include <cuda.h>

#include <cstdlib>
#include <cstring>

#include "cuda_emulation/block.h"
#include "cuda_emulation/streams.h"

using cudaError_t = int;
using cudaStream_t = kogrpo::emulation::Stream*;
using cudaEvent_t = kogrpo::emulation::Event*;
constexpr cudaError_t cudaSuccess = 0, cudaErrorInvalidValue = 1, cudaErrorMemoryAllocation = 2,
                      cudaErrorNotReady = 600, cudaErrorLaunchFailure = 719,
                      cudaErrorStreamCaptureUnsupported = 900,
                      cudaErrorStreamCaptureInvalidated = 901;
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize };
constexpr unsigned cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2;

struct cudaDeviceProp {
  char name[256] = "emulation";
  int major = 9, minor = 0, multiProcessorCount = 4;
  size_t totalGlobalMem = size_t{1} << 30, sharedMemPerBlockOptin = size_t{227} << 10;
  int l2CacheSize = 1 << 20;
};

const char* cudaGetErrorName(cudaError_t e);
const char* cudaGetErrorString(cudaError_t e);
inline cudaError_t cudaGetLastError() {
  return cudaSuccess;
}
inline cudaError_t cudaGetDeviceCount(int* n) {
  *n = 1;
  return cudaSuccess;
}
inline cudaError_t cudaSetDevice(int) {
  return cudaSuccess;
}
inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int) {
  *p = cudaDeviceProp();
  return cudaSuccess;
}
cudaError_t cudaMemGetInfo(size_t* free, size_t* total);
cudaError_t cudaMalloc(void** p, size_t bytes);
cudaError_t cudaFree(void* p);
cudaError_t cudaMallocHost(void** p, size_t bytes);
cudaError_t cudaFreeHost(void* p);
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t n, cudaMemcpyKind, cudaStream_t);
cudaError_t cudaMemsetAsync(void* p, int value, size_t n, cudaStream_t);
cudaError_t cudaStreamSynchronize(cudaStream_t);
inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t* s, unsigned) {
  *s = nullptr;
  return cudaSuccess;
}
inline cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  *least = 0, *greatest = -5;
  return cudaSuccess;
}
inline cudaError_t cudaStreamCreateWithPriority(cudaStream_t* s, unsigned, int) {
  *s = new kogrpo::emulation::Stream;
  return cudaSuccess;
}
inline cudaError_t cudaStreamDestroy(cudaStream_t s) {
  delete s;
  return cudaSuccess;
}
// Entry points of the driver: those of cuda_emulation/cuda.h.
enum cudaDriverEntryPointQueryResult {
  cudaDriverEntryPointSuccess,
  cudaDriverEntryPointSymbolNotFound
};
constexpr unsigned long long cudaEnableDefault = 0;
inline cudaError_t cudaGetDriverEntryPointByVersion(const char* name, void** function, unsigned,
                                                    unsigned long long,
                                                    cudaDriverEntryPointQueryResult* found) {
  const bool known = std::strcmp(name, "cuTensorMapEncodeTiled") == 0;
  *function = known ? reinterpret_cast<void*>(&cuTensorMapEncodeTiled) : nullptr;
  *found = known ? cudaDriverEntryPointSuccess : cudaDriverEntryPointSymbolNotFound;
  return cudaSuccess;
}
// Events: time does not pass.
inline cudaError_t cudaEventCreate(cudaEvent_t* e) {
  *e = new kogrpo::emulation::Event;
  return cudaSuccess;
}
inline cudaError_t cudaEventCreateWithFlags(cudaEvent_t* e, unsigned) {
  return cudaEventCreate(e);
}
inline cudaError_t cudaEventDestroy(cudaEvent_t e) {
  delete e;
  return cudaSuccess;
}
inline cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s) {
  // In a capture it would be a node of the graph; none of ours belongs in one.
  if (!s && kogrpo::emulation::forbidden_in_capture()) return cudaErrorStreamCaptureUnsupported;
  kogrpo::emulation::record(*e, s);
  return cudaSuccess;
}
inline cudaError_t cudaStreamWaitEvent(cudaStream_t s, cudaEvent_t e, unsigned) {
  kogrpo::emulation::wait(s, *e);
  return cudaSuccess;
}
inline cudaError_t cudaEventQuery(cudaEvent_t e) {
  return kogrpo::emulation::reached(*e) ? cudaSuccess : cudaErrorNotReady;
}
inline cudaError_t cudaEventSynchronize(cudaEvent_t e) {
  if (kogrpo::emulation::forbidden_in_capture()) return cudaErrorStreamCaptureUnsupported;
  ++kogrpo::emulation::counters().event_waits;
  kogrpo::emulation::wait(*e);
  return cudaSuccess;
}
inline cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t, cudaEvent_t) {
  *ms = 1.0f;
  return cudaSuccess;
}
// Graphs: recorded work.
using cudaGraph_t = struct EmulatedGraph*;
using cudaGraphExec_t = struct EmulatedGraph*;
enum cudaStreamCaptureMode { cudaStreamCaptureModeGlobal, cudaStreamCaptureModeThreadLocal };
cudaError_t cudaStreamBeginCapture(cudaStream_t, cudaStreamCaptureMode);
cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t*);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t*, cudaGraph_t, unsigned long long flags);
cudaError_t cudaGraphLaunch(cudaGraphExec_t, cudaStream_t);
cudaError_t cudaGraphDestroy(cudaGraph_t);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t);
