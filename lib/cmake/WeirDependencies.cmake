# What weir is built from. A parent project that already has a dependency's targets wins.

if(NOT TARGET absl::base)
  find_package(absl REQUIRED)
endif()
if(NOT TARGET OpenSSL::Crypto)
  find_package(OpenSSL REQUIRED COMPONENTS Crypto)
endif()

# RapidJSON is headers only; its own CMake config sets a variable and exports no target.
if(NOT TARGET weir_rapidjson)
  find_path(WEIR_RAPIDJSON_INCLUDE_DIR rapidjson/reader.h REQUIRED)
  add_library(weir_rapidjson INTERFACE)
  target_include_directories(weir_rapidjson SYSTEM INTERFACE ${WEIR_RAPIDJSON_INCLUDE_DIR})
endif()

# SentencePiece ships a .pc only.
if(WEIR_WITH_SENTENCEPIECE AND NOT TARGET weir_sentencepiece)
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(WEIR_SENTENCEPIECE REQUIRED IMPORTED_TARGET sentencepiece)
  add_library(weir_sentencepiece INTERFACE)
  target_link_libraries(weir_sentencepiece INTERFACE PkgConfig::WEIR_SENTENCEPIECE)
endif()

find_package(Threads REQUIRED)
