# Text in and out of the runtime: needs nothing of the rest of runtime/core.
if(NOT TARGET qwen_runtime_tokenizer)
  find_library(QWENC_UTF8PROC NAMES libutf8proc.a REQUIRED)
  add_library(qwen_runtime_tokenizer STATIC
    ${CMAKE_CURRENT_LIST_DIR}/CharacterClass.cpp
    ${CMAKE_CURRENT_LIST_DIR}/Detokenizer.cpp
    ${CMAKE_CURRENT_LIST_DIR}/Normalizer.cpp
    ${CMAKE_CURRENT_LIST_DIR}/PairMerger.cpp
    ${CMAKE_CURRENT_LIST_DIR}/Splitter.cpp
    ${CMAKE_CURRENT_LIST_DIR}/Tokenizer.cpp
    ${CMAKE_CURRENT_LIST_DIR}/TokenizerTable.cpp)
  target_compile_definitions(qwen_runtime_tokenizer PRIVATE UTF8PROC_STATIC)
  target_link_libraries(qwen_runtime_tokenizer PRIVATE ${QWENC_UTF8PROC})
endif()
