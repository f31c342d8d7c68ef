# cmake -D SOURCE=openvswitch.tar.gz -D ROOT=DIR -P openvswitch_build.cmake
#
# Makes DIR/lib/libopenvswitch.a and DIR/include from Open vSwitch's source. Several may run at a time
# (two presets): one builds, the others wait for it. What is there is complete, for the library is put
# in place last. On failure the log is shown and stays next to DIR.
file(LOCK ${ROOT}.lock GUARD PROCESS TIMEOUT 1800)
if(EXISTS ${ROOT}/lib/libopenvswitch.a)
  file(TOUCH_NOCREATE ${ROOT}/lib/libopenvswitch.a)
  return()
endif()

set(log ${ROOT}.log)
set(work ${ROOT}.work)
file(REMOVE_RECURSE ${work})
file(MAKE_DIRECTORY ${work})
file(WRITE ${log} "")

function(step)
  execute_process(COMMAND ${ARGN} WORKING_DIRECTORY ${work} RESULT_VARIABLE status
                  OUTPUT_VARIABLE output ERROR_VARIABLE output)
  file(APPEND ${log} "$ ${ARGN}\n${output}\n")
  if(NOT status EQUAL 0)
    string(LENGTH "${output}" length)
    math(EXPR from "${length} - 4000")
    if(from LESS 0)
      set(from 0)
    endif()
    string(SUBSTRING "${output}" ${from} -1 tail)
    message(FATAL_ERROR "${tail}\nlibopenvswitch did not build: `${ARGN}` failed; all of it is in ${log}")
  endif()
endfunction()

find_program(CCACHE ccache)
set(compiler gcc)
if(CCACHE)
  set(compiler "${CCACHE} gcc")
endif()
cmake_host_system_information(RESULT cores QUERY NUMBER_OF_LOGICAL_CORES)

step(tar -xzf ${SOURCE} --strip-components=1)
# Without the libraries that only its daemons need. -O1: a fifth less to compile, and no frame passes here.
step(sh ./configure --quiet --enable-ssl "CC=${compiler}" "CFLAGS=-O1 -g1"
     ac_cv_lib_cap_ng_capng_clear=no ac_cv_lib_unbound_ub_ctx_create=no
     ac_cv_lib_unwind_unw_backtrace=no ac_cv_header_libunwind_h=no)
# The headers that are generated aren't dependencies of the library in a fresh tree: first they.
file(WRITE ${work}/generated.mk "include Makefile\ngenerated: $(BUILT_SOURCES)\n.PHONY: generated\n")
step(make -s -j${cores} -f generated.mk generated)
step(make -s -j${cores} lib/libopenvswitch.la)

file(COPY ${work}/config.h ${work}/include/ DESTINATION ${ROOT}/include FILES_MATCHING PATTERN "*.h")
file(GLOB headers ${work}/lib/*.h)
file(COPY ${headers} DESTINATION ${ROOT}/include/lib)
file(MAKE_DIRECTORY ${ROOT}/lib)
file(COPY_FILE ${work}/lib/.libs/libopenvswitch.a ${ROOT}/lib/libopenvswitch.a.new)
file(RENAME ${ROOT}/lib/libopenvswitch.a.new ${ROOT}/lib/libopenvswitch.a)
file(REMOVE_RECURSE ${work})
