# Halide from its PyPI wheel: plain headers and one shared library (the wheel's CMake package asks for a newer CMake).
find_path(QWENC_HALIDE_INCLUDE Halide.h PATHS ${QWENC_HALIDE_ROOT}/include NO_DEFAULT_PATH REQUIRED)
find_library(QWENC_HALIDE_LIBRARY Halide PATHS ${QWENC_HALIDE_ROOT}/lib64 ${QWENC_HALIDE_ROOT}/lib NO_DEFAULT_PATH REQUIRED)

# A library or program that uses Halide; never one that includes an LLVM or MLIR header.
function(qwenc_uses_halide target)
  target_include_directories(${target} SYSTEM PUBLIC ${QWENC_HALIDE_INCLUDE})
  target_link_libraries(${target} PUBLIC ${QWENC_HALIDE_LIBRARY})
  cmake_path(GET QWENC_HALIDE_LIBRARY PARENT_PATH libraries)
  set_property(TARGET ${target} APPEND PROPERTY BUILD_RPATH ${libraries})
endfunction()
