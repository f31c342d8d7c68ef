# libopenvswitch, built once from Debian's openvswitch-source: Debian ships no library of it. The
# result is kept in build/deps/ under a name that says what it was built from, for all presets, and
# shows up as the target openvswitch::openvswitch. cmake/openvswitch_build.cmake does the work, as a
# build step, so that the rest compiles meanwhile.
#
#   build/deps/openvswitch-<hash>/lib/libopenvswitch.a  include/{config.h, openvswitch/…, lib/…}
set(OPENVSWITCH_SOURCE /usr/src/openvswitch/openvswitch.tar.gz CACHE FILEPATH
    "Open vSwitch's source as a tar file (Debian: package openvswitch-source)")
# Debian 13's package is the tree itself. Packed, its files keep their times, without which autoconf were needed.
if(NOT EXISTS ${OPENVSWITCH_SOURCE} AND EXISTS /usr/src/openvswitch/configure)
  set(packed ${CMAKE_SOURCE_DIR}/build/deps/openvswitch.tar.gz)
  if(NOT EXISTS ${packed})
    file(MAKE_DIRECTORY ${CMAKE_SOURCE_DIR}/build/deps)
    execute_process(COMMAND tar -czf ${packed}.new --sort=name -C /usr/src openvswitch COMMAND_ERROR_IS_FATAL ANY)
    file(RENAME ${packed}.new ${packed})
  endif()
  set(OPENVSWITCH_SOURCE ${packed})
endif()
if(NOT EXISTS ${OPENVSWITCH_SOURCE})
  message(FATAL_ERROR "${OPENVSWITCH_SOURCE} is missing: apt-get install openvswitch-source, or set "
                      "OPENVSWITCH_SOURCE to Open vSwitch's source as a tar file")
endif()

# The recipe is part of what the result was built from.
file(SHA256 ${OPENVSWITCH_SOURCE} openvswitch_hash)
file(SHA256 ${CMAKE_CURRENT_LIST_DIR}/openvswitch_build.cmake openvswitch_recipe_hash)
string(SHA256 openvswitch_hash "${openvswitch_hash} ${openvswitch_recipe_hash}")
string(SUBSTRING ${openvswitch_hash} 0 12 openvswitch_hash)
set(openvswitch_root ${CMAKE_SOURCE_DIR}/build/deps/openvswitch-${openvswitch_hash})

add_custom_command(
  OUTPUT ${openvswitch_root}/lib/libopenvswitch.a
  COMMAND ${CMAKE_COMMAND} -D SOURCE=${OPENVSWITCH_SOURCE} -D ROOT=${openvswitch_root}
          -P ${CMAKE_CURRENT_LIST_DIR}/openvswitch_build.cmake
  COMMENT "Building libopenvswitch (once)"
  VERBATIM)
add_custom_target(openvswitch_build DEPENDS ${openvswitch_root}/lib/libopenvswitch.a)

file(MAKE_DIRECTORY ${openvswitch_root}/include/lib)  # CMake wants to see an imported target's folders.
add_library(openvswitch::openvswitch STATIC IMPORTED GLOBAL)
add_dependencies(openvswitch::openvswitch openvswitch_build)
set_target_properties(openvswitch::openvswitch PROPERTIES
  IMPORTED_LOCATION ${openvswitch_root}/lib/libopenvswitch.a
  # For C only: lib/ has a string.h of its own, and C++ can't read these headers anyway.
  INTERFACE_INCLUDE_DIRECTORIES
    "$<$<COMPILE_LANGUAGE:C>:${openvswitch_root}/include;${openvswitch_root}/include/lib>"
  INTERFACE_LINK_LIBRARIES "OpenSSL::SSL;OpenSSL::Crypto;Threads::Threads;m;rt")
