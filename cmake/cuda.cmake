# The CUDA backend by nvcc: machine code for Hopper (sm_90a) and for the A100 (sm_80), and PTX of the
# latter, which drivers compile for everything newer. cudart is linked statically, so the result
# loads on machines without CUDA. -fmad=false: fused multiply-adds are written out, as in the CPU's
# kernels, so that the same source gives the same bits wherever it is inlined.
include(CheckLanguage)
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  message(FATAL_ERROR "KOGRPO_CUDA=ON needs nvcc of CUDA 12.8 or later: put it on the PATH or set CMAKE_CUDA_COMPILER")
endif()
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES "80;90a-real")
endif()
set(CMAKE_CUDA_RUNTIME_LIBRARY Static)
enable_language(CUDA)
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")  # CMake up to 3.25 does not know nvcc 13's
endif()
set(CMAKE_CUDA_STANDARD 20)
set(CMAKE_CUDA_EXTENSIONS OFF)

add_library(kogrpo_cuda STATIC ${sources_cuda})
set_target_properties(kogrpo_cuda PROPERTIES POSITION_INDEPENDENT_CODE ON)
target_include_directories(kogrpo_cuda PUBLIC native)
target_include_directories(kogrpo_cuda SYSTEM PUBLIC ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES})
target_compile_options(kogrpo_cuda PRIVATE
  $<$<COMPILE_LANGUAGE:CUDA>:-fmad=false;--expt-relaxed-constexpr;-Xptxas=-v;-lineinfo>)
target_link_libraries(kogrpo_cuda PUBLIC Threads::Threads ${CMAKE_DL_LIBS} rt)
