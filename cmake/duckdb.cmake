# Puts DuckDB's library into the build tree: cmake -DDEPS=... -DSOURCE=... -DOUT=... -P duckdb.cmake
#
# SOURCE holds package.json and package-lock.json, DEPS is a folder that all build trees of this checkout share, so that
# it is downloaded once. npm verifies the hash in the lock file.
set(dir ${DEPS}/duckdb)
file(MAKE_DIRECTORY ${dir})
file(LOCK ${dir}/lock GUARD PROCESS TIMEOUT 900)

file(SHA256 ${SOURCE}/package-lock.json wanted)
set(installed "")
if(EXISTS ${dir}/installed)
  file(READ ${dir}/installed installed)
endif()
file(GLOB library ${dir}/node_modules/@duckdb/*/libduckdb.so)
if(NOT installed STREQUAL wanted OR NOT library)
  file(REMOVE ${dir}/installed)
  file(COPY ${SOURCE}/package.json ${SOURCE}/package-lock.json DESTINATION ${dir})
  find_program(NPM npm)
  if(NOT NPM)
    message(FATAL_ERROR "npm is needed to install DuckDB's library (tools/install-deps.sh build), or -DHEP_DUCKDB=OFF")
  endif()
  execute_process(COMMAND ${NPM} ci --ignore-scripts --no-audit --no-fund WORKING_DIRECTORY ${dir}
    RESULT_VARIABLE status OUTPUT_VARIABLE said ERROR_VARIABLE said)
  file(GLOB library ${dir}/node_modules/@duckdb/*/libduckdb.so)
  if(NOT status EQUAL 0 OR NOT library)
    message(FATAL_ERROR "DuckDB's library cannot be installed (there is one for x64 and arm64 with glibc):\n${said}")
  endif()
  file(WRITE ${dir}/installed ${wanted})
endif()

# A link where it can be: the file is 70 MB, and every build tree has one.
file(REMOVE ${OUT})
file(CREATE_LINK ${library} ${OUT} COPY_ON_ERROR)
file(TOUCH ${OUT}) # newer than what it is made of
