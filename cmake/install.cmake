# What `cmake --install` puts where. Two components, for packages: what programs need to run, and what
# is needed to build them.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)
set(rouse_config_dir "${CMAKE_INSTALL_LIBDIR}/cmake/rouse")
set(rouse_pkgconfig_dir "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

install(TARGETS rouse_core EXPORT rouseCoreTargets
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT rouse_development
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
    COMPONENT rouse_runtime NAMELINK_COMPONENT rouse_development
  INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/rouse" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
  COMPONENT rouse_development FILES_MATCHING PATTERN "*.hpp")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}"
  COMPONENT rouse_development)

# For CMake. One export file per component, so that whoever asks for core is not asked for the others'
# needs.
install(EXPORT rouseCoreTargets NAMESPACE rouse:: DESTINATION "${rouse_config_dir}"
  COMPONENT rouse_development)
get_target_property(rouse_core_type rouse_core TYPE)
configure_package_config_file(cmake/rouseConfig.cmake.in rouseConfig.cmake
  INSTALL_DESTINATION "${rouse_config_dir}")
# Below 1.0 every minor version may change the interface.
write_basic_package_version_file(rouseConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/rouseConfig.cmake"
              "${CMAKE_CURRENT_BINARY_DIR}/rouseConfigVersion.cmake"
  DESTINATION "${rouse_config_dir}" COMPONENT rouse_development)

# For pkg-config. Its prefix follows from where the file lies, so that an installed tree can be moved.
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
# A static library leaves linking with Boost to its user, whether or not he says --static; and whatever
# plug-in it is linked into must not be unloaded (src/CMakeLists.txt).
set(pc_libs "-lrouse_core")
if(rouse_core_type STREQUAL "STATIC_LIBRARY")
  string(APPEND pc_libs " -lboost_thread -Wl,-z,nodelete")
endif()
configure_file(cmake/rouse.pc.in rouse.pc @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/rouse.pc" DESTINATION "${rouse_pkgconfig_dir}"
  COMPONENT rouse_development)
