# kogrpo_emulated_tests: the CUDA backend compiled as C++ and run on the CPU, threads in lockstep.
set(emulated "")
foreach(path IN LISTS sources_cuda)
  get_filename_component(name ${path} NAME_WE)
  set(wrapper ${CMAKE_BINARY_DIR}/emulated/${name}.cpp)
  file(GENERATE OUTPUT ${wrapper} CONTENT "#include \"${CMAKE_SOURCE_DIR}/${path}\"\n")
  list(APPEND emulated ${wrapper})
endforeach()
add_library(kogrpo_fake_cublaslt MODULE test/native/cuda_emulation/fake_cublaslt.cpp)
target_include_directories(kogrpo_fake_cublaslt PRIVATE native)
add_library(kogrpo_fake_nccl MODULE test/native/cuda_emulation/fake_nccl.cpp)
kogrpo_quick(-O2 ${emulated})  # a third less to compile than -O3, and as fast to run
add_executable(kogrpo_emulated_tests ${cuda_tests} ${emulated}
  test/native/cuda_emulation/block.cpp test/native/cuda_emulation/hopper.cpp
  test/native/cuda_emulation/runtime.cpp test/native/cuda_emulation/streams.cpp
  test/native/cuda_emulation/operations_stream.cpp ${sources_reference})
set_target_properties(kogrpo_emulated_tests PROPERTIES ENABLE_EXPORTS ON)  # runtime.cpp's symbol for the stand-in
target_include_directories(kogrpo_emulated_tests PRIVATE test/native/cuda_emulation test/native native)
target_compile_options(kogrpo_emulated_tests PRIVATE -Wno-unknown-pragmas -fno-strict-aliasing)
# fmaf() as an instruction instead of a call of the C library, the same bits: these tests run where
# they are built.
if(EXISTS /proc/cpuinfo)
  file(STRINGS /proc/cpuinfo emulated_fma REGEX "^flags.* fma .* avx2 " LIMIT_COUNT 1)
  if(emulated_fma)
    target_compile_options(kogrpo_emulated_tests PRIVATE -mfma -mavx2)
  endif()
endif()
target_compile_definitions(kogrpo_emulated_tests PRIVATE KOGRPO_EMULATION=1
  KOGRPO_FAKE_CUBLASLT="$<TARGET_FILE:kogrpo_fake_cublaslt>"
  KOGRPO_FAKE_NCCL="$<TARGET_FILE:kogrpo_fake_nccl>")
target_link_libraries(kogrpo_emulated_tests PRIVATE kogrpo_core kogrpo_doctest)
add_dependencies(kogrpo_emulated_tests kogrpo_fake_cublaslt kogrpo_fake_nccl)
add_test(NAME kogrpo_emulated_tests COMMAND kogrpo_emulated_tests)
# What scripts/gpu-check measures with is compiled, so that it cannot break where there is no GPU.
add_library(kogrpo_gpu_bench OBJECT bench/gpu/bench.cpp bench/gpu/engine.cpp)
kogrpo_quick(-O0 bench/gpu/bench.cpp bench/gpu/engine.cpp)
target_include_directories(kogrpo_gpu_bench PRIVATE test/native/cuda_emulation test/native native)
target_compile_options(kogrpo_gpu_bench PRIVATE -Wno-unknown-pragmas)
target_compile_definitions(kogrpo_gpu_bench PRIVATE KOGRPO_EMULATION=1)
add_dependencies(kogrpo_emulated_tests kogrpo_gpu_bench)
