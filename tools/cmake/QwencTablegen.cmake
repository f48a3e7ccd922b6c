# Adds the rule for one generated file of the current folder and appends it to QWENC_GENERATED.
function(qwenc_tablegen output source)
  set(file ${CMAKE_CURRENT_BINARY_DIR}/${output})
  add_custom_command(
    OUTPUT ${file}
    COMMAND ${MLIR_TABLEGEN_EXE} ${ARGN} -I ${CMAKE_SOURCE_DIR} -I ${MLIR_INCLUDE_DIRS} --write-if-changed
            -d ${file}.d -o ${file} ${CMAKE_CURRENT_SOURCE_DIR}/${source}
    DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${source}
    DEPFILE ${file}.d
    COMMENT "tablegen ${output}"
    VERBATIM)
  set(QWENC_GENERATED ${QWENC_GENERATED} ${file} PARENT_SCOPE)
endfunction()
