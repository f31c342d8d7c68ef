# Tests over the versions of Open vSwitch in versions.txt besides this machine's own. Where a root is
# missing, its tests say so and are skipped.
set(list ${CMAKE_CURRENT_LIST_DIR}/versions.txt)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${list})
file(STRINGS ${list} ovs_versions REGEX "^[0-9]")
file(STRINGS /etc/os-release own_suite REGEX "^VERSION_CODENAME=")
string(REPLACE "VERSION_CODENAME=" "" own_suite "${own_suite}")
list(FILTER ovs_versions EXCLUDE REGEX " ${own_suite}$")

# vmirror_test_other_versions(NAME COMMAND ...): the ctest entries NAME/VERSION, one for each root;
# `vmirror_other_versions` is set to their names. NAME itself, with this machine's, is the caller's.
function(vmirror_test_other_versions name)
  set(names)
  foreach(version ${ovs_versions})
    string(REPLACE " " ";" version ${version})
    list(GET version 0 number)
    list(GET version 1 suite)
    add_test(NAME ${name}/${number} ${ARGN})
    set_tests_properties(${name}/${number} PROPERTIES
      LABELS versions ENVIRONMENT "VMIRROR_OVS_ROOT=${CMAKE_SOURCE_DIR}/build/roots/${suite}")
    list(APPEND names ${name}/${number})
  endforeach()
  set(vmirror_other_versions ${names} PARENT_SCOPE)
endfunction()
