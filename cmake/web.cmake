# Builds the page that hepcat serves: cmake -DNPM=... -DDEPS=... -DSOURCE=... -DOUT=... -P web.cmake
#
# SOURCE is web/ of the checkout, which stays as it is; OUT becomes a copy of it, in which OUT/dist is made. What npm
# installs is in a folder of DEPS that all build trees share, one for each lock file; npm verifies the hashes in it.
file(SHA256 ${SOURCE}/package-lock.json hash)
string(SUBSTRING ${hash} 0 12 hash)
set(dir ${DEPS}/web-${hash})
file(MAKE_DIRECTORY ${dir})
file(LOCK ${dir}/lock GUARD PROCESS TIMEOUT 900)
if(NOT EXISTS ${dir}/installed)
  file(COPY ${SOURCE}/package.json ${SOURCE}/package-lock.json DESTINATION ${dir})
  execute_process(COMMAND ${NPM} ci --ignore-scripts --no-audit --no-fund WORKING_DIRECTORY ${dir}
    RESULT_VARIABLE status OUTPUT_VARIABLE said ERROR_VARIABLE said)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "what the page is built with cannot be installed:\n${said}")
  endif()
  file(WRITE ${dir}/installed ${hash})
endif()

file(REMOVE_RECURSE ${OUT})
file(COPY ${SOURCE}/ DESTINATION ${OUT} PATTERN node_modules EXCLUDE PATTERN dist EXCLUDE)
file(CREATE_LINK ${dir}/node_modules ${OUT}/node_modules SYMBOLIC)
find_program(NODE node REQUIRED)
execute_process(COMMAND ${NODE} node_modules/vite/bin/vite.js build --logLevel warn WORKING_DIRECTORY ${OUT}
  RESULT_VARIABLE status OUTPUT_VARIABLE said ERROR_VARIABLE said)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "the page cannot be built:\n${said}")
endif()
