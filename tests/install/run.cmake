# Installs a build into a fresh place, builds the consumer against that, and runs it.
#
# cmake -D BUILD=<fullconv's build> -D WORK=<scratch> -D GENERATOR=<name> -D CXX=<compiler>
#       -D TYPE=<build type> -D FLAGS=<compiler flags> [-D SHARED_FROM=<fullconv's sources>] -P run.cmake
#
# With SHARED_FROM, BUILD is made first: the library alone, as a shared one.

file(REMOVE_RECURSE ${WORK})
set(configure ${CMAKE_COMMAND} -G ${GENERATOR} -D CMAKE_CXX_COMPILER=${CXX}
  -D CMAKE_BUILD_TYPE=${TYPE} "-DCMAKE_CXX_FLAGS=${FLAGS}")

function(run)
  execute_process(COMMAND ${ARGV} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

if(SHARED_FROM)
  run(${configure} -S ${SHARED_FROM} -B ${BUILD} -D BUILD_SHARED_LIBS=ON
    -D FULLCONV_BUILD_TESTS=OFF -D FULLCONV_BUILD_BENCH=OFF -D FULLCONV_BUILD_PYTHON=OFF)
  run(${CMAKE_COMMAND} --build ${BUILD})
endif()
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix)
run(${configure} -S ${CMAKE_CURRENT_LIST_DIR} -B ${WORK}/build -D CMAKE_PREFIX_PATH=${WORK}/prefix)
run(${CMAKE_COMMAND} --build ${WORK}/build)
run(${WORK}/build/consumer)
run(${WORK}/build/readme)
