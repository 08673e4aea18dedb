# Kept out of the exported targets: the warnings are for rouse's code, not for its users' code.
function(rouse_set_warnings target)
  if(PROJECT_IS_TOP_LEVEL)
    target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      # clang has it among the others, but not for the sources of a unity build: it takes them for headers.
      target_compile_options(${target} PRIVATE -Wunused-const-variable=1)
      if(CMAKE_UNITY_BUILD)
        # gcc takes them for headers too.
        target_compile_options(${target} PRIVATE -Wno-subobject-linkage)
      endif()
    endif()
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
      # False alarms of gcc 12 at -O2 and above in its own std::string (its bug 105651).
      target_compile_options(${target} PRIVATE -Wno-restrict)
    endif()
  endif()
  if(ROUSE_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()
