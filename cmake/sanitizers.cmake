# For everything below this directory at once: a sanitizer that sees only half of a program reports
# what is not there (thread) or misses what is (address).
if(ROUSE_SANITIZE)
  foreach(sanitizer IN LISTS ROUSE_SANITIZE)
    if(NOT sanitizer MATCHES "^(address|undefined|thread)$")
      message(FATAL_ERROR "ROUSE_SANITIZE: unknown sanitizer '${sanitizer}'; "
                          "there are address, undefined and thread")
    endif()
  endforeach()
  if("thread" IN_LIST ROUSE_SANITIZE AND "address" IN_LIST ROUSE_SANITIZE)
    message(FATAL_ERROR "ROUSE_SANITIZE: address and thread cannot be combined")
  endif()

  string(REPLACE ";" "," rouse_sanitizers "${ROUSE_SANITIZE}")
  add_compile_options("-fsanitize=${rouse_sanitizers}" -fno-omit-frame-pointer)
  add_link_options("-fsanitize=${rouse_sanitizers}")
  if("thread" IN_LIST ROUSE_SANITIZE)
    # Asio's fences stand alone, which ThreadSanitizer does not understand; its locks do without them.
    add_compile_definitions(BOOST_ASIO_DISABLE_FENCED_BLOCK)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # gcc 12 loses track of what was written behind the checks it has put in, and warns in vain.
    add_compile_options(-Wno-maybe-uninitialized -Wno-array-bounds -Wno-stringop-overflow
                        -Wno-stringop-overread -Wno-restrict)
  endif()
endif()
