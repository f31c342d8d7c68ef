# The language, the warnings (all are errors), the sanitizers, and ccache where it is installed.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)
set(CMAKE_OPTIMIZE_DEPENDENCIES ON)  # A static library need not wait for those that it uses.

set(VMIRROR_SANITIZE "" CACHE STRING "Sanitizers for every target, as -fsanitize takes them")
option(VMIRROR_UNITY "Compile the sources of a library together, twenty-four at a time" OFF)
option(VMIRROR_FUZZ "Link the fuzz targets with libFuzzer (needs Clang); else they replay their corpora" OFF)

add_compile_options(-Wall -Wextra -Werror -g1)
# GCC collects its garbage from 4 GB on only: a seventh of the time for the largest sources, for half as much memory again.
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  add_compile_options("SHELL:--param ggc-min-heapsize=4000000")
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  add_compile_options(-Og)
endif()
# Hardening, as Debian's hardening=+all has it. A sanitizer watches in its place.
if(NOT VMIRROR_SANITIZE)
  add_compile_options(-fPIE -fstack-protector-strong -fstack-clash-protection)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|i.86")
    add_compile_options(-fcf-protection)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64")
    add_compile_options(-mbranch-protection=standard)
  endif()
  add_link_options(-pie -Wl,-z,relro,-z,now)
  if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")  # It needs an optimised build.
    add_compile_definitions(_FORTIFY_SOURCE=2)
  endif()
endif()
if(VMIRROR_SANITIZE)
  add_compile_options(-fsanitize=${VMIRROR_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${VMIRROR_SANITIZE})
  find_program(LLD ld.lld)
  if(LLD)  # It links in a third of GNU ld's time, and there are some hundred programs.
    add_link_options(-fuse-ld=lld)
  endif()
  if(VMIRROR_SANITIZE MATCHES thread AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    add_compile_options(-Wno-tsan)  # Boost.Asio's fences, which the sanitizer can't follow.
  endif()
endif()

# A clean build reads the headers of Boost and of the standard library once for twenty-four sources, whose
# names in anonymous namespaces must therefore differ.
if(VMIRROR_UNITY)
  set(CMAKE_UNITY_BUILD ON)
  set(CMAKE_UNITY_BUILD_BATCH_SIZE 24)
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wno-subobject-linkage>)  # It takes an included source for a header.
endif()

if(VMIRROR_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)  # Coverage of the code under test, for libFuzzer.
endif()

# Clones and worktrees of one machine share what ccache keeps: paths in objects begin at the source's folder.
add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)
find_program(CCACHE ccache)
if(CCACHE)
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} ${CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
endif()
