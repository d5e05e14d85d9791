# weir_install_compressed(<file> <folder> <component>): installs FILE.gz, the same bytes each time;
# FILE itself where there is no gzip.
function(weir_install_compressed file folder component)
  find_program(WEIR_GZIP gzip)
  mark_as_advanced(WEIR_GZIP)
  if(WEIR_GZIP)
    get_filename_component(name ${file} NAME)
    set(made ${CMAKE_CURRENT_BINARY_DIR}/compressed/${name}.gz)
    file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/compressed)
    execute_process(COMMAND ${WEIR_GZIP} -9nc ${file} OUTPUT_FILE ${made}
      COMMAND_ERROR_IS_FATAL ANY)
    set(file ${made})
  endif()
  install(FILES ${file} DESTINATION ${folder} COMPONENT ${component})
endfunction()
