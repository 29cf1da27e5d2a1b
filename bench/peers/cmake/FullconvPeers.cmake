# The mechanism behind the list in bench/peers/CMakeLists.txt.

option(FULLCONV_WITH_PEERS "Build the peers: other libraries to compare with" ON)

# What a peer links, by the name used in REQUIRES; and what find_package needs beside that name.
set(FULLCONV_PEER_TARGETS_ARMADILLO Armadillo::Headers)
set(FULLCONV_PEER_TARGETS_EIGEN3 Eigen3::Eigen)
set(FULLCONV_PEER_TARGETS_ONEDNN oneDNN::oneDNN)
set(FULLCONV_PEER_TARGETS_ONNXRUNTIME OnnxRuntime::OnnxRuntime)
set(FULLCONV_PEER_TARGETS_OPENCV OpenCV::imgproc)
set(FULLCONV_PEER_TARGETS_OPENMP OpenMP::OpenMP_CXX)
set(FULLCONV_PEER_TARGETS_XNNPACK XNNPACK::XNNPACK)
set(FULLCONV_PEER_COMPONENTS_OPENMP COMPONENTS CXX)

set_property(GLOBAL PROPERTY FULLCONV_PEERS "")

# fullconv_peer(<file> [PEERS <name>...] [REQUIRES <package>...]): adds the file to fullconv_peers
# and peer::<name>, or else peer::<stem of file>, to the registry; leaves it out, and says so, where
# a package is not found. What was not found is looked for again at every configuring.
function(fullconv_peer file)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "PEERS;REQUIRES")
  cmake_path(GET file STEM stem)
  if(NOT arg_PEERS)
    set(arg_PEERS ${stem})
  endif()
  list(JOIN arg_PEERS ", " names)
  if(NOT FULLCONV_WITH_PEERS)
    message(STATUS "fullconv: without ${names} (FULLCONV_WITH_PEERS is off)")
    return()
  endif()
  foreach(package IN LISTS arg_REQUIRES)
    string(TOUPPER ${package} upper)
    find_package(${package} QUIET ${FULLCONV_PEER_COMPONENTS_${upper}})
    if(NOT ${package}_FOUND)
      message(STATUS "fullconv: without ${names} (${package} not found)")
      return()
    endif()
    target_link_libraries(fullconv_peers PRIVATE ${FULLCONV_PEER_TARGETS_${upper}})
  endforeach()
  target_sources(fullconv_peers PRIVATE ${file})
  set_property(GLOBAL APPEND PROPERTY FULLCONV_PEERS ${arg_PEERS})
endfunction()

# Writes peers/registry.h, which declares each peer::<name>, and registry.cpp, which lists them.
function(fullconv_generate_peers)
  get_property(names GLOBAL PROPERTY FULLCONV_PEERS)
  set(declarations "")
  set(entries "")
  foreach(name IN LISTS names)
    string(APPEND declarations "extern const Contender ${name};\n")
    string(APPEND entries "      peer::${name},\n")
  endforeach()
  set(generated ${CMAKE_CURRENT_BINARY_DIR}/generated/peers)
  configure_file(registry.h.in ${generated}/registry.h @ONLY)
  configure_file(registry.cpp.in ${generated}/registry.cpp @ONLY)
  target_sources(fullconv_peers PRIVATE ${generated}/registry.cpp)
endfunction()
