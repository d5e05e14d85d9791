# cpack -G DEB: what is installed, as the packages that Debian would make of it. Configure with
# -DCMAKE_INSTALL_PREFIX=/usr, so that files come to Debian's folders.

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_VENDOR weir)
set(WEIR_PACKAGE_CONTACT "The weir developers <weir@localhost>" CACHE STRING
  "Who answers for packages of weir: \"NAME <ADDRESS>\"")
set(CPACK_PACKAGE_CONTACT "${WEIR_PACKAGE_CONTACT}")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGING_INSTALL_PREFIX ${CMAKE_INSTALL_PREFIX})
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)

# What Debian wants beside the files: who may depend on the library how, that the loader's cache is
# renewed, a changelog and a licence in every package.
set(control ${PROJECT_BINARY_DIR}/debian)
file(WRITE ${control}/shlibs
  "libweir ${WEIR_SOVERSION} libweir${WEIR_SOVERSION} (>= ${PROJECT_VERSION})\n")
file(WRITE ${control}/triggers "activate-noawait ldconfig\n")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_EXTRA ${control}/shlibs ${control}/triggers)
file(WRITE ${control}/changelog.Debian "weir (${PROJECT_VERSION}-1) unstable; urgency=medium

  * Release ${PROJECT_VERSION}.

 -- ${WEIR_PACKAGE_CONTACT}  Tue, 01 Jan 1980 00:00:00 +0000
")
get_cmake_property(CPACK_COMPONENTS_ALL COMPONENTS)
list(REMOVE_ITEM CPACK_COMPONENTS_ALL Unspecified)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${PROJECT_BINARY_DIR}/capi)

# weir_package(<component> <package> SECTION … SUMMARY … TEXT … DEPENDS …)
macro(weir_package component package)
  if(${component} IN_LIST CPACK_COMPONENTS_ALL)
    weir_install_compressed(${control}/changelog.Debian ${CMAKE_INSTALL_DATADIR}/doc/${package}
      ${component})
    install(FILES ${PROJECT_SOURCE_DIR}/LICENSE RENAME copyright COMPONENT ${component}
      DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package})
  endif()
  cmake_parse_arguments(PACKAGE "" "SECTION;SUMMARY;TEXT;DEPENDS" "" ${ARGN})
  string(TOUPPER ${component} upper)
  set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${package})
  set(CPACK_DEBIAN_${upper}_PACKAGE_SECTION ${PACKAGE_SECTION})
  set(CPACK_DEBIAN_${upper}_PACKAGE_DEPENDS "${PACKAGE_DEPENDS}")
  set(CPACK_DEBIAN_${upper}_DESCRIPTION "${PACKAGE_SUMMARY}\n${PACKAGE_TEXT}")
  set(CPACK_COMPONENT_${upper}_DESCRIPTION "${PACKAGE_SUMMARY}\n${PACKAGE_TEXT}")
endmacro()

set(library "libweir${WEIR_SOVERSION} (= ${PROJECT_VERSION}-1)")
weir_package(runtime libweir${WEIR_SOVERSION} SECTION libs
  SUMMARY "policy engine for LLM gateways - shared library"
  TEXT "weir decides for every call of a language model who may pass, which backend
gets it and what it cost: exact token counts, limits, retries, circuit
breakers, keys and metrics, inside the gateway's own process.")
weir_package(dev libweir-dev SECTION libdevel DEPENDS "${library}"
  SUMMARY "policy engine for LLM gateways - headers and archives"
  TEXT "What programs in C and C++ are built with that embed weir: weir.h, the C++
headers, static archives, and files for CMake and pkg-config.")
weir_package(cli weir SECTION utils DEPENDS "${library}"
  SUMMARY "policy engine for LLM gateways - command"
  TEXT "Checks and explains policies, counts the tokens of texts, requests and data
sets, and looks into the state of gateways.")
weir_package(python python3-weir SECTION python DEPENDS "${library}, python3, python3-cffi-backend"
  SUMMARY "policy engine for LLM gateways - Python module"
  TEXT "Limits, circuit breakers, balancers, token counts and whole transactions from
Python, and an ASGI middleware.")
# A module fits the nginx that it was built for, which says so by a name that it provides.
execute_process(COMMAND dpkg-query -W -f "\${Provides}" nginx OUTPUT_VARIABLE provided ERROR_QUIET)
string(REGEX MATCH "nginx-abi-[^ ,]+" nginx_abi "${provided}")
if(NOT nginx_abi)
  set(nginx_abi nginx)
endif()
weir_package(nginx libnginx-mod-http-weir SECTION httpd DEPENDS "${library}, ${nginx_abi}"
  SUMMARY "policy engine for LLM gateways - nginx module"
  TEXT "Governs the calls of language models that nginx passes on, and meters their
answers, streams included.")
weir_package(lua lua-weir SECTION interpreters DEPENDS "${library}"
  SUMMARY "policy engine for LLM gateways - Lua modules"
  TEXT "For LuaJIT through its FFI, as in nginx's Lua module, and for the reference
implementation, as in HAProxy.")

include(CPack)
