# Every target gets the same warnings.
add_compile_options(-Wall -Wextra -Wno-unused-parameter)

find_program(QWENC_CCACHE ccache)
if(QWENC_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${QWENC_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${QWENC_CCACHE})
endif()

# Writes `file` with one line PREFIX(stem) for every .cpp of `folder` whose name starts in lower case, so that adding a
# file adds the entry.
function(qwenc_list_folder file prefix folder)
  file(GLOB sources CONFIGURE_DEPENDS RELATIVE ${folder} ${folder}/[a-z]*.cpp)
  list(SORT sources)
  set(rows "")
  foreach(source IN LISTS sources)
    cmake_path(GET source STEM name)
    string(APPEND rows "${prefix}(${name})\n")
  endforeach()
  file(CONFIGURE OUTPUT ${file} CONTENT "${rows}")
endfunction()
