# What `cmake --install` puts where. Two components per library, for packages: what programs need to run,
# and what is needed to build them.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)
set(rouse_config_dir "${CMAKE_INSTALL_LIBDIR}/cmake/rouse")
set(rouse_pkgconfig_dir "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
get_target_property(rouse_core_type rouse_core TYPE)

# For pkg-config. The prefix follows from where its file lies, so that an installed tree can be moved.
set(pc_libdir "${CMAKE_INSTALL_LIBDIR}")
set(pc_includedir "${CMAKE_INSTALL_INCLUDEDIR}")
foreach(dir pc_libdir pc_includedir)
  if(NOT IS_ABSOLUTE "${${dir}}")
    string(PREPEND ${dir} "\${prefix}/")
  endif()
endforeach()
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  set(pc_prefix "${CMAKE_INSTALL_PREFIX}")
else()
  file(RELATIVE_PATH up "/${rouse_pkgconfig_dir}" /)
  string(REGEX REPLACE "/$" "" up "${up}")
  set(pc_prefix "\${pcfiledir}/${up}")
endif()

# rouse_install(<name> COMPONENT ... EXPORT ... PC ... SUMMARY ... [REQUIRES ...] [STATIC_REQUIRES ...]
# [STATIC_LIBS ...]): the library rouse_<name>, its export file, and its file for pkg-config, whose
# STATIC_ words are for who links with the static library, whether or not he says --static. One export
# file per library, so that whoever asks for core is not asked for the others' needs.
function(rouse_install name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "COMPONENT;EXPORT;PC;SUMMARY"
    "REQUIRES;STATIC_REQUIRES;STATIC_LIBS")
  install(TARGETS rouse_${name} EXPORT ${arg_EXPORT}
    ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT ${arg_COMPONENT}_development
    LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
      COMPONENT ${arg_COMPONENT}_runtime NAMELINK_COMPONENT ${arg_COMPONENT}_development
    INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
  install(EXPORT ${arg_EXPORT} NAMESPACE rouse:: DESTINATION "${rouse_config_dir}"
    COMPONENT ${arg_COMPONENT}_development)

  set(requires ${arg_REQUIRES})
  set(libs -lrouse_${name})
  if(rouse_core_type STREQUAL "STATIC_LIBRARY")
    list(APPEND requires ${arg_STATIC_REQUIRES})
    list(APPEND libs ${arg_STATIC_LIBS})
  endif()
  set(pc_name "${arg_PC}")
  set(pc_description "${arg_SUMMARY}")
  list(JOIN requires ", " pc_requires)
  list(JOIN libs " " pc_libs)
  configure_file(cmake/rouse.pc.in ${arg_PC}.pc @ONLY)
  install(FILES "${CMAKE_CURRENT_BINARY_DIR}/${arg_PC}.pc" DESTINATION "${rouse_pkgconfig_dir}"
    COMPONENT ${arg_COMPONENT}_development)
endfunction()

# Whatever plug-in the static library is linked into must not be unloaded (libraries.cmake).
rouse_install(core COMPONENT rouse EXPORT rouseCoreTargets
  PC rouse SUMMARY "${PROJECT_DESCRIPTION}"
  STATIC_LIBS -lboost_thread -Wl,-z,nodelete)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/rouse" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
  COMPONENT rouse_development FILES_MATCHING PATTERN "*.hpp" PATTERN service EXCLUDE)
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}"
  COMPONENT rouse_development)

if(ROUSE_BUILD_SERVICE)
  rouse_install(service COMPONENT rouse_service EXPORT rouseServiceTargets
    PC rouse-service SUMMARY "Waits for files, lines, processes and ports, on rouse"
    REQUIRES "rouse = ${PROJECT_VERSION}" STATIC_REQUIRES re2)
  install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/rouse/service"
    DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/rouse"
    COMPONENT rouse_service_development FILES_MATCHING PATTERN "*.hpp")
endif()

# For CMake.
configure_package_config_file(cmake/rouseConfig.cmake.in rouseConfig.cmake
  INSTALL_DESTINATION "${rouse_config_dir}")
# Below 1.0 every minor version may change the interface.
write_basic_package_version_file(rouseConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/rouseConfig.cmake"
              "${CMAKE_CURRENT_BINARY_DIR}/rouseConfigVersion.cmake"
  DESTINATION "${rouse_config_dir}" COMPONENT rouse_development)
