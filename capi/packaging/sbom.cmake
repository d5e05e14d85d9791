# The bill of materials, SPDX 2.3: weir and what it links, in the versions that were found.
#
# It says what was built, not when: SOURCE_DATE_EPOCH dates it, so that two builds are the same.

set(WEIR_SBOM_CREATED 1980-01-01T00:00:00Z)
if(DEFINED ENV{SOURCE_DATE_EPOCH})
  string(TIMESTAMP WEIR_SBOM_CREATED "%Y-%m-%dT%H:%M:%SZ" UTC)
endif()

function(weir_sbom_package name version license)
  if(NOT version)
    set(version NOASSERTION)
  endif()
  if(WEIR_STATIC_DEPS)
    set(relation STATIC_LINK)
  else()
    set(relation DYNAMIC_LINK)
  endif()
  string(APPEND WEIR_SBOM_PACKAGES ",
    {
      \"name\": \"${name}\",
      \"SPDXID\": \"SPDXRef-${name}\",
      \"versionInfo\": \"${version}\",
      \"downloadLocation\": \"NOASSERTION\",
      \"filesAnalyzed\": false,
      \"licenseConcluded\": \"${license}\",
      \"licenseDeclared\": \"${license}\"
    }")
  string(APPEND WEIR_SBOM_RELATIONSHIPS ",
    {
      \"spdxElementId\": \"SPDXRef-weir\",
      \"relationshipType\": \"${relation}\",
      \"relatedSpdxElement\": \"SPDXRef-${name}\"
    }")
  set(WEIR_SBOM_PACKAGES "${WEIR_SBOM_PACKAGES}" PARENT_SCOPE)
  set(WEIR_SBOM_RELATIONSHIPS "${WEIR_SBOM_RELATIONSHIPS}" PARENT_SCOPE)
endfunction()

set(WEIR_SBOM_PACKAGES "")
set(WEIR_SBOM_RELATIONSHIPS "")
weir_sbom_package(abseil-cpp "${absl_VERSION}" Apache-2.0)
weir_sbom_package(openssl "${OPENSSL_VERSION}" Apache-2.0)
foreach(optional SENTENCEPIECE=Apache-2.0 UTF8PROC=MIT ZLIB=Zlib BROTLI=MIT ZSTD=BSD-3-Clause)
  string(REPLACE = ";" optional ${optional})
  list(GET optional 0 name)
  list(GET optional 1 license)
  if(WEIR_WITH_${name})
    string(TOLOWER ${name} lower)
    weir_sbom_package(${lower} "${WEIR_${name}_VERSION}" ${license})
  endif()
endforeach()
configure_file(${CMAKE_CURRENT_LIST_DIR}/sbom.spdx.json.in ${PROJECT_BINARY_DIR}/weir.spdx.json
  @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/weir.spdx.json COMPONENT runtime
  DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/libweir${WEIR_SOVERSION})
