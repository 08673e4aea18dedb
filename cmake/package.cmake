# `cpack` makes Debian packages: librouse-dev, librouse-service-dev, and with BUILD_SHARED_LIBS also the
# libraries' own, whose names change with the binary interface, as Debian has it.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME rouse)
set(CPACK_PACKAGE_CONTACT "The rouse authors <rouse@example.invalid>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_COMPONENTS_ALL "")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
# For CPACK_DEBIAN_<component>_PACKAGE_SHLIBDEPS: the library beneath may not be installed here.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS "${CMAKE_CURRENT_BINARY_DIR}/src")
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)

# rouse_package(<component> PACKAGE ... SECTION ... DESCRIPTION ... DEPENDS package...)
function(rouse_package component)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "PACKAGE;SECTION;DESCRIPTION" "DEPENDS")
  string(TOUPPER "${component}" upper)
  list(JOIN arg_DEPENDS ", " depends)
  set(CPACK_COMPONENTS_ALL ${CPACK_COMPONENTS_ALL} ${component} PARENT_SCOPE)
  set(CPACK_DEBIAN_${upper}_PACKAGE_NAME "${arg_PACKAGE}" PARENT_SCOPE)
  set(CPACK_DEBIAN_${upper}_PACKAGE_SECTION "${arg_SECTION}" PARENT_SCOPE)
  set(CPACK_DEBIAN_${upper}_PACKAGE_DEPENDS "${depends}" PARENT_SCOPE)
  set(CPACK_COMPONENT_${upper}_DESCRIPTION "${arg_DESCRIPTION}" PARENT_SCOPE)
  if(arg_SECTION STREQUAL "libs")
    # Needs the programs of dpkg-dev and file.
    set(CPACK_DEBIAN_${upper}_PACKAGE_SHLIBDEPS ON PARENT_SCOPE)
  endif()
endfunction()

# What the packages for development need: what the static library is linked with, or the shared one.
set(core_needs "libboost-thread-dev (>= 1.74)" tzdata)
set(service_needs libre2-dev pkg-config)
if(rouse_core_type STREQUAL "SHARED_LIBRARY")
  set(interface "${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}")
  rouse_package(rouse_runtime PACKAGE librouse-core${interface} SECTION libs
    DESCRIPTION "The shared library." DEPENDS tzdata)
  set(core_needs "librouse-core${interface} (= ${PROJECT_VERSION})")
  if(ROUSE_BUILD_SERVICE)
    rouse_package(rouse_service_runtime PACKAGE librouse-service${interface} SECTION libs
      DESCRIPTION "The shared library of rouse::service." DEPENDS ${core_needs})
    set(service_needs "librouse-service${interface} (= ${PROJECT_VERSION})")
  endif()
endif()

rouse_package(rouse_development PACKAGE librouse-dev SECTION libdevel
  DESCRIPTION "The headers, the library, and its files for CMake's find_package and for pkg-config."
  DEPENDS ${core_needs})
if(ROUSE_BUILD_SERVICE)
  rouse_package(rouse_service_development PACKAGE librouse-service-dev SECTION libdevel
    DESCRIPTION "The same of rouse::service, which waits for files, lines, processes and ports."
    DEPENDS "librouse-dev (= ${PROJECT_VERSION})" ${service_needs})
endif()
include(CPack)
