# One static library per folder, each linked to those of lower rank that it uses; `./run lint` checks
# that includes go only downwards (docs/ARCHITECTURE.md, "Layout and direction").
#
#   vmirror_layer(agent/engine/decap USES agent_model ...)  ->  library agent_engine_decap of agent/engine/decap/*.cpp and *.c
#
# FAMILIES names folders below it whose sources are in the same library. A folder of headers only becomes
# an interface library. A new source file needs no line here.
function(vmirror_layer folder)
  cmake_parse_arguments(LAYER "" "" "FAMILIES;USES;PRIVATE" ${ARGN})
  string(REPLACE "/" "_" name ${folder})
  file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.cpp ${folder}/*.c)
  foreach(family ${LAYER_FAMILIES})
    file(GLOB family_sources CONFIGURE_DEPENDS ${folder}/${family}/*.cpp)
    list(APPEND sources ${family_sources})
  endforeach()
  list(FILTER sources EXCLUDE REGEX "_main\\.cpp$")
  if(sources)
    add_library(${name} STATIC ${sources})
    target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
    target_link_libraries(${name} PUBLIC ${LAYER_USES} PRIVATE ${LAYER_PRIVATE})
    # Each frame passes here: hardening without what costs an instruction or more a call and helps
    # little (docs/decisions/0053-hardening-of-the-engine-is-paid-for-by-arrays-alone.md).
    if(folder MATCHES "^agent/engine/" AND NOT VMIRROR_SANITIZE)
      target_compile_options(${name} PRIVATE -fstack-protector)
      if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|i.86")
        target_compile_options(${name} PRIVATE -fcf-protection=return)
      endif()
    endif()
  else()
    add_library(${name} INTERFACE)
    target_include_directories(${name} INTERFACE ${CMAKE_SOURCE_DIR})
    target_link_libraries(${name} INTERFACE ${LAYER_USES} ${LAYER_PRIVATE})
  endif()
endfunction()

vmirror_layer(plugin/base USES tl::expected)
vmirror_layer(plugin/api USES plugin_base)
# HTTP and SOAP over TLS; the only place that sees libcurl and GSS-API.
vmirror_layer(plugin/net USES plugin_base pugixml::pugixml PRIVATE CURL::libcurl OpenSSL::SSL PkgConfig::gssapi Threads::Threads)
vmirror_layer(plugin/ovsdb USES plugin_base PRIVATE openvswitch::openvswitch)
vmirror_layer(plugin/vsphere USES plugin_net plugin_api PRIVATE Threads::Threads)
vmirror_layer(plugin/hyperv USES plugin_net plugin_api PRIVATE Boost::json Threads::Threads)
vmirror_layer(plugin/ovs USES plugin_api plugin_ovsdb PRIVATE Boost::json)
vmirror_layer(plugin/fake USES plugin_api)
vmirror_layer(plugin USES plugin_ovs plugin_vsphere plugin_hyperv)

vmirror_layer(agent/engine/wire USES plugin_base)
# What the daemon gives up; the only place that sees libseccomp, libcap-ng and Landlock.
vmirror_layer(agent/confine USES plugin_base PRIVATE PkgConfig::libseccomp PkgConfig::libcap_ng)
# Certificates: a CA of one's own, in a folder.
vmirror_layer(agent/pki USES plugin_base PRIVATE OpenSSL::Crypto)
vmirror_layer(agent/model USES agent_engine_wire plugin_api)
vmirror_layer(agent/engine/capture USES agent_model PRIVATE ZLIB::ZLIB)
vmirror_layer(agent/engine/decap USES agent_model)
vmirror_layer(agent/engine/dissect FAMILIES link network it ot USES agent_model)
vmirror_layer(agent/engine/stream USES agent_model)
vmirror_layer(agent/engine/flow USES agent_model)
vmirror_layer(agent/engine/inventory USES agent_model)
vmirror_layer(agent/engine/findings USES agent_model)
vmirror_layer(agent/engine/health USES agent_model Boost::json)
vmirror_layer(agent/engine/export USES agent_model Boost::json Threads::Threads PRIVATE OpenSSL::Crypto)
vmirror_layer(agent/control/policy USES agent_model yaml-cpp spdlog::spdlog)
vmirror_layer(agent/control/affinity USES agent_model Boost::json)
vmirror_layer(agent/control/reconcile USES agent_model)
vmirror_layer(agent/control/loop USES agent_control_reconcile agent_control_affinity Threads::Threads)
# libvirt's connection; the only place that sees libvirt.h. The library is opened when it is asked for.
vmirror_layer(agent/control/libvirt USES agent_model PRIVATE pugixml::pugixml Threads::Threads ${CMAKE_DL_LIBS})
target_include_directories(agent_control_libvirt SYSTEM PRIVATE ${libvirt_INCLUDE_DIRS})
# vmirror-hook, which libvirtd starts for each guest: static, with nothing but domain_xml of libvirt's
# layer, because loading libraries would take longer than its work.
vmirror_layer(agent/control/hook USES agent_control_libvirt)
add_executable(vmirror-hook agent/control/hook/hook_main.cpp)
target_compile_definitions(vmirror-hook PRIVATE VMIRROR_VERSION="${PROJECT_VERSION}")
if(VMIRROR_SANITIZE)  # Which can't be static.
  target_link_libraries(vmirror-hook PRIVATE agent_control_hook)
else()
  set(hook_libraries agent_control_hook agent_control_libvirt agent_model plugin_api plugin_base)
  add_dependencies(vmirror-hook ${hook_libraries})
  target_include_directories(vmirror-hook PRIVATE ${CMAKE_SOURCE_DIR})
  list(TRANSFORM hook_libraries REPLACE "(.+)" "$<TARGET_FILE:\\1>")
  target_link_libraries(vmirror-hook PRIVATE tl::expected ${hook_libraries} pugixml::static -static-pie)
endif()
# The link between agents.
vmirror_layer(agent/control/peers USES agent_model PRIVATE OpenSSL::SSL Threads::Threads)
vmirror_layer(agent/engine/worker USES agent_engine_capture agent_engine_decap agent_engine_dissect agent_engine_stream agent_engine_flow agent_engine_inventory agent_engine_findings agent_engine_health agent_engine_export Threads::Threads)
# agent/api has the HTTP server and client (http.hpp); its routes go there too. The command line is
# agent/cli, above agent/app.
vmirror_layer(agent/api USES agent_engine_worker agent_control_policy agent_control_reconcile Boost::json Boost::url Threads::Threads)
# The policies of all hosts, in a database of their own, whose schema is part of the program.
file(READ agent/control/store/vmirror.ovsschema VMIRROR_STORE_SCHEMA)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS agent/control/store/vmirror.ovsschema)
configure_file(agent/control/store/schema_text.cpp.in ${CMAKE_BINARY_DIR}/generated/schema_text.cpp @ONLY)
vmirror_layer(agent/control/store USES agent_control_policy agent_control_reconcile plugin_ovsdb Boost::json spdlog::spdlog)
target_sources(agent_control_store PRIVATE ${CMAKE_BINARY_DIR}/generated/schema_text.cpp)
# What starts of guests are asked and told; what proves the sessions.
vmirror_layer(agent/control/admission USES agent_api agent_control_hook agent_control_reconcile)
vmirror_layer(agent/control/evidence USES agent_engine_worker agent_control_reconcile agent_control_peers PRIVATE spdlog::spdlog)
# What follows the guests, and the sensor after them.
vmirror_layer(agent/control/follow USES agent_control_evidence agent_control_affinity agent_control_libvirt agent_control_peers Boost::json PRIVATE spdlog::spdlog)
# What is told of all of it: status, metrics.
vmirror_layer(agent/report USES agent_confine agent_api agent_control_admission agent_control_follow agent_control_store)
# The daemon: configuration (config.hpp), wiring, and vmirrord_main.cpp.
vmirror_layer(agent/app USES agent_report agent_control_loop agent_pki plugin spdlog::spdlog PRIVATE PkgConfig::libsystemd)
target_compile_definitions(agent_app PRIVATE VMIRROR_VERSION="${PROJECT_VERSION}")
if(EXISTS ${CMAKE_SOURCE_DIR}/agent/app/vmirrord_main.cpp)
  add_executable(vmirrord agent/app/vmirrord_main.cpp)
  target_link_libraries(vmirrord PRIVATE agent_app CLI11::CLI11)
  target_compile_definitions(vmirrord PRIVATE VMIRROR_VERSION="${PROJECT_VERSION}")
endif()
# The command line. `vmirror` is agent/cli/vmirror_main.cpp, `vmirrord` agent/app/vmirrord_main.cpp.
vmirror_layer(agent/cli USES agent_app agent_api agent_pki agent_control_hook plugin CLI11::CLI11 PRIVATE PkgConfig::libpcap)
target_compile_definitions(agent_cli PRIVATE VMIRROR_VERSION="${PROJECT_VERSION}")
# The work of a command is done by the layers below: a third less to compile.
target_compile_options(agent_cli PRIVATE $<$<CONFIG:RelWithDebInfo>:-O1>)
if(EXISTS ${CMAKE_SOURCE_DIR}/agent/cli/vmirror_main.cpp)
  add_executable(vmirror agent/cli/vmirror_main.cpp)
  target_link_libraries(vmirror PRIVATE agent_cli)
  add_dependencies(vmirror vmirror-hook)  # `vmirror hook install` looks for it beside vmirror.
endif()
add_executable(vmirror-extcap agent/cli/extcap_main.cpp)
target_link_libraries(vmirror-extcap PRIVATE agent_cli)
