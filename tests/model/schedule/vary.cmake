# The sources as the model build compiles them: copies in which some text is replaced.
#
# A tuning brings a path that otherwise needs a crowd within the reach of three threads. A mutant is
# a mistake that a run of the tests switches on by its name.

# rouse_vary(<file> <text> <replacement>): the text must be in the file, once.
function(rouse_vary file text replacement)
  get_property(files GLOBAL PROPERTY rouse_varied_files)
  if(file IN_LIST files)
    get_property(content GLOBAL PROPERTY "rouse_varied_${file}")
  else()
    set_property(GLOBAL APPEND PROPERTY rouse_varied_files "${file}")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/${file}")
    file(READ "${PROJECT_SOURCE_DIR}/${file}" content)
  endif()
  string(FIND "${content}" "${text}" first)
  string(FIND "${content}" "${text}" last REVERSE)
  if(first EQUAL -1 OR NOT first EQUAL last)
    message(FATAL_ERROR "tests/model/schedule: this text must be in ${file} once:\n${text}")
  endif()
  string(REPLACE "${text}" "${replacement}" content "${content}")
  set_property(GLOBAL PROPERTY "rouse_varied_${file}" "${content}")
endfunction()

# rouse_mutant(<area> <name> <file> <text> <replacement>): the replacement asks mutant("<name>").
function(rouse_mutant area name file text replacement)
  rouse_vary("${file}" "${text}" "${replacement}")
  set_property(GLOBAL APPEND PROPERTY rouse_mutants "${area}/${name}")
endfunction()

# Writes the copies below <dir>, and the mutants' names as a list of C++ strings.
function(rouse_write_varied dir)
  get_property(files GLOBAL PROPERTY rouse_varied_files)
  foreach(file IN LISTS files)
    get_property(content GLOBAL PROPERTY "rouse_varied_${file}")
    file(GENERATE OUTPUT "${dir}/${file}" CONTENT "${content}")
  endforeach()
  get_property(mutants GLOBAL PROPERTY rouse_mutants)
  list(TRANSFORM mutants REPLACE "(.+)" "\"\\1\"," OUTPUT_VARIABLE mutants)
  list(JOIN mutants "\n" mutants)
  file(GENERATE OUTPUT "${dir}/mutants.inc" CONTENT "${mutants}\n")
endfunction()
