# Kept out of the exported targets: the warnings are for rouse's code, not for its users' code.
function(rouse_set_warnings target)
  if(PROJECT_IS_TOP_LEVEL)
    target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion)
  endif()
  if(ROUSE_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()
