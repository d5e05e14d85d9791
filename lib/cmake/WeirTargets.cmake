# How the house's targets are made: rooms of the library, tests that mirror them, benchmarks.

# Our own warnings and language level; PRIVATE, so that nobody who links weir inherits them.
function(weir_house_rules target)
  target_compile_features(${target} PRIVATE cxx_std_20)
  set_target_properties(${target} PROPERTIES
    CXX_EXTENSIONS OFF C_STANDARD 11 C_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON
    CXX_VISIBILITY_PRESET hidden C_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wvla
    $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor -Woverloaded-virtual>
    $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>
    $<$<BOOL:${WEIR_WERROR}>:-Werror>)
  if(WEIR_SANITIZE)
    target_compile_options(${target} PRIVATE
      -fsanitize=${WEIR_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(${target} PRIVATE -fsanitize=${WEIR_SANITIZE})
  endif()
endfunction()

# weir_room(<folder> DEPENDS <floors below> LINKS <vendor targets>): one capability or ground
# floor as a static library of its own, so that it builds, tests and benches alone.
function(weir_room name)
  cmake_parse_arguments(ROOM "" "" "DEPENDS;LINKS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  add_library(weir_${name} STATIC ${sources})
  weir_house_rules(weir_${name})
  target_include_directories(weir_${name}
    PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
    PRIVATE ${PROJECT_SOURCE_DIR}/lib)
  list(TRANSFORM ROOM_DEPENDS PREPEND weir_)
  target_link_libraries(weir_${name} PUBLIC ${ROOM_DEPENDS} PRIVATE ${ROOM_LINKS})
  set_property(GLOBAL APPEND PROPERTY WEIR_ROOMS weir_${name})
endfunction()

# weir_test(<folder> LINKS <targets>): tests/<folder>/*_test.cc as one program, every test case
# labelled with its folder.
function(weir_test name)
  cmake_parse_arguments(TEST "" "" "LINKS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  add_executable(${name}_test ${sources})
  weir_house_rules(${name}_test)
  target_include_directories(${name}_test PRIVATE ${PROJECT_SOURCE_DIR}/lib ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name}_test PRIVATE weir_test_main ${TEST_LINKS})
  add_test(NAME ${name} COMMAND ${name}_test)
  set_tests_properties(${name} PROPERTIES LABELS ${name} TIMEOUT 600)
endfunction()

# weir_bench(<folder> LINKS <targets>): bench/<folder>_bench.cc as the program <folder>_bench.
function(weir_bench name)
  cmake_parse_arguments(BENCH "" "" "LINKS" ${ARGN})
  add_executable(${name}_bench ${name}_bench.cc)
  weir_house_rules(${name}_bench)
  target_include_directories(${name}_bench PRIVATE ${PROJECT_SOURCE_DIR}/lib ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name}_bench PRIVATE benchmark::benchmark_main ${BENCH_LINKS})
endfunction()
