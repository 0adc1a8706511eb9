# Installs the library into a scratch prefix and builds and runs the example against it, as a foreign
# project would. Run by ctest with -DBUILD_DIR -DEXAMPLE_DIR -DWORK_DIR -DCXX_COMPILER -DGENERATOR.
function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE ${WORK_DIR})
run(${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${WORK_DIR}/prefix --component geneve
    --config "${CONFIG}")
run(${CMAKE_COMMAND} -S ${EXAMPLE_DIR} -B ${WORK_DIR}/build -G ${GENERATOR}
    -DCMAKE_PREFIX_PATH=${WORK_DIR}/prefix -DCMAKE_CXX_COMPILER=${CXX_COMPILER})
run(${CMAKE_COMMAND} --build ${WORK_DIR}/build)
execute_process(COMMAND ${WORK_DIR}/build/example OUTPUT_VARIABLE output
                COMMAND_ERROR_IS_FATAL ANY)
if(NOT output STREQUAL "VNI 10001, ovn 0x0102/0x80 critical: ingress port 5 egress port 7\n")
  message(FATAL_ERROR "the example printed: ${output}")
endif()
