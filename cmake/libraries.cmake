# rouse_library(<name> [ABOVE <name>...] [PUBLIC <library>...] [PRIVATE <library>...]): what rouse's
# libraries have in common. The target rouse_<name> has its sources already; it stands on the others of
# rouse that are named, and whoever uses it calls it rouse::<name>.
function(rouse_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "ABOVE;PUBLIC;PRIVATE")
  set(library rouse_${name})
  list(TRANSFORM arg_ABOVE PREPEND rouse_ OUTPUT_VARIABLE below)

  target_compile_features(${library} PUBLIC cxx_std_20)
  target_include_directories(${library}
    PUBLIC
      "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>"
    # Private headers live beside the sources and are named by layer: "wait/parking_table.hpp".
    PRIVATE
      "${PROJECT_SOURCE_DIR}/src")
  target_link_libraries(${library} PUBLIC ${below} ${arg_PUBLIC} PRIVATE ${arg_PRIVATE})
  rouse_set_warnings(${library})
  set_target_properties(${library} PROPERTIES
    EXPORT_NAME ${name}
    # Also in the static library: a plug-in may hold it.
    POSITION_INDEPENDENT_CODE ON
    # What is exported says so in its header; docs/design/linking.md.
    CXX_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON
    VERSION "${PROJECT_VERSION}"
    # Below 1.0 every minor version may change the binary interface.
    SOVERSION "${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}")

  get_target_property(type ${library} TYPE)
  if(type STREQUAL "SHARED_LIBRARY")
    set(exported "${PROJECT_SOURCE_DIR}/cmake/exported.map")
    target_link_options(${library} PRIVATE "LINKER:--version-script=${exported}")
    set_property(TARGET ${library} PROPERTY LINK_DEPENDS "${exported}")
    if(below)
      # Those lie beside it, and the path of a program is not searched for what a library needs.
      set_property(TARGET ${library} PROPERTY INSTALL_RPATH "$ORIGIN")
    endif()
  endif()
  # Whatever holds the library stays loaded: threads that have waited call into it when they end.
  set(stay_loaded LINKER:-z,nodelete)
  target_link_options(${library} PRIVATE ${stay_loaded})
  if(type STREQUAL "STATIC_LIBRARY")
    target_link_options(${library} INTERFACE
      "$<$<NOT:$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>>:${stay_loaded}>")
  endif()

  # Tests look behind what a shared library exports: where they are built, the tree is linked with a
  # static library of the same objects. The shared one is tested from outside (tests/consumer).
  if(type STREQUAL "SHARED_LIBRARY" AND ROUSE_BUILD_TESTS)
    set(tested ${library}_tested)
    list(TRANSFORM below APPEND _tested)
    add_library(${tested} STATIC $<TARGET_OBJECTS:${library}>)
    target_compile_features(${tested} PUBLIC cxx_std_20)
    target_include_directories(${tested} PUBLIC "${PROJECT_SOURCE_DIR}/include")
    target_link_libraries(${tested} PUBLIC ${below} ${arg_PUBLIC} PRIVATE ${arg_PRIVATE})
    set_target_properties(${tested} PROPERTIES LINKER_LANGUAGE CXX)
    set(library ${tested})
  endif()
  add_library(rouse::${name} ALIAS ${library})
endfunction()

# rouse_needs_service(<variable> <source>): whether the source is of the service layer, or includes a
# header of it.
function(rouse_needs_service variable source)
  cmake_path(ABSOLUTE_PATH source)
  cmake_path(RELATIVE_PATH source BASE_DIRECTORY "${PROJECT_SOURCE_DIR}" OUTPUT_VARIABLE inside)
  file(STRINGS "${source}" includes LIMIT_COUNT 1
    REGEX "^[ \t]*#[ \t]*include [<\"](rouse/)?service/")
  if(includes OR inside MATCHES "^(include/rouse|tests)/service/")
    set(${variable} ON PARENT_SCOPE)
  else()
    set(${variable} OFF PARENT_SCOPE)
  endif()
endfunction()

# rouse_keep_buildable(<list>): without rouse::service, takes the sources that need it out of the list.
function(rouse_keep_buildable list)
  set(kept "")
  foreach(source IN LISTS ${list})
    rouse_needs_service(needs_service "${source}")
    if(ROUSE_BUILD_SERVICE OR NOT needs_service)
      list(APPEND kept "${source}")
    endif()
  endforeach()
  set(${list} "${kept}" PARENT_SCOPE)
endfunction()

# rouse_link(<target> <source>...): with those of rouse's libraries whose headers the sources include.
function(rouse_link target)
  target_link_libraries(${target} PRIVATE rouse::core)
  foreach(source IN LISTS ARGN)
    rouse_needs_service(needs_service "${source}")
    if(needs_service)
      target_link_libraries(${target} PRIVATE rouse::service)
    endif()
  endforeach()
endfunction()
