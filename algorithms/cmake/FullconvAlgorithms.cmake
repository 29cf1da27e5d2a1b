# The mechanism behind the list in algorithms/CMakeLists.txt.

include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

option(FULLCONV_WITH_FFTW "Build the algorithms that need FFTW" ON)
option(FULLCONV_WITH_OPENBLAS "Build the algorithms that need OpenBLAS" ON)
option(FULLCONV_WITH_OPENMP "Build the algorithms that need OpenMP" ON)
option(FULLCONV_WITH_HWY "Build the algorithms that need Highway" ON)

# What the library links, by the name used in REQUIRES.
set(FULLCONV_TARGET_FFTW FFTW::FFTW)
set(FULLCONV_TARGET_OPENBLAS OpenBLAS::OpenBLAS)
set(FULLCONV_TARGET_OPENMP OpenMP::OpenMP_CXX)
set(FULLCONV_TARGET_HWY hwy::hwy)

set_property(GLOBAL PROPERTY FULLCONV_ALGORITHMS "")
set_property(GLOBAL PROPERTY FULLCONV_DEPENDENCIES "")

# fullconv_algorithm(<file> [WITH <file>...] [REQUIRES <dependency>...]): adds the file, and those it
# is to be built with, to the library and builtin::<stem of file> to the registry; leaves it out, and
# says so, where the build goes without a dependency. One that is wanted and not found is an error.
# A file that several algorithms are built with stands in the line of each. Steps are timed in the first
# file only.
function(fullconv_algorithm file)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "WITH;REQUIRES")
  cmake_path(GET file STEM name)
  foreach(dependency IN LISTS arg_REQUIRES)
    string(TOUPPER ${dependency} upper)
    if(NOT FULLCONV_WITH_${upper})
      message(STATUS "fullconv: without ${name} (FULLCONV_WITH_${upper} is off)")
      return()
    endif()
    if(dependency STREQUAL "OpenMP")
      find_package(OpenMP REQUIRED COMPONENTS CXX)
    else()
      find_package(${dependency} REQUIRED)
    endif()
    target_link_libraries(fullconv PRIVATE ${FULLCONV_TARGET_${upper}})
    target_link_libraries(fullconv_base PRIVATE ${FULLCONV_TARGET_${upper}})
    set_property(GLOBAL APPEND PROPERTY FULLCONV_DEPENDENCIES ${dependency})
  endforeach()
  target_sources(fullconv PRIVATE ${file})
  target_sources(fullconv_base PRIVATE ${arg_WITH})
  set_property(GLOBAL APPEND PROPERTY FULLCONV_ALGORITHMS ${name})
endfunction()

# Writes core/registry.h, which declares each builtin::<name>, and registry.cpp, which lists them.
function(fullconv_generate_registry)
  get_property(names GLOBAL PROPERTY FULLCONV_ALGORITHMS)
  set(declarations "")
  set(entries "")
  foreach(name IN LISTS names)
    string(APPEND declarations "extern const Algorithm ${name};\n")
    string(APPEND entries "    &builtin::${name},\n")
  endforeach()
  set(generated ${CMAKE_CURRENT_BINARY_DIR}/generated/core)
  configure_file(core/registry.h.in ${generated}/registry.h @ONLY)
  configure_file(core/registry.cpp.in ${generated}/registry.cpp @ONLY)
  target_sources(fullconv PRIVATE ${generated}/registry.cpp)
endfunction()

# The library's sources once more, but for fullconv_base, as fullconv_stepped, with core/steps.h
# telling the time of steps. Objects, and not an archive, so that whoever links them has no use for
# the library beneath other targets. Not installed.
function(fullconv_add_stepped)
  add_library(fullconv_stepped OBJECT core/steps.cpp $<TARGET_PROPERTY:fullconv,SOURCES>)
  target_compile_definitions(fullconv_stepped PUBLIC FULLCONV_TIME_STEPS)
  target_compile_features(fullconv_stepped PUBLIC cxx_std_20)
  target_include_directories(fullconv_stepped
    PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}
    PRIVATE $<TARGET_PROPERTY:fullconv,INCLUDE_DIRECTORIES>)
  target_link_libraries(fullconv_stepped PRIVATE $<TARGET_PROPERTY:fullconv,LINK_LIBRARIES>)
endfunction()

# Installs the library so that find_package(fullconv) gives fullconv::fullconv. Only a static library
# asks its user for what it was linked with.
function(fullconv_install)
  set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/fullconv)
  get_target_property(type fullconv TYPE)
  set(FULLCONV_LINK_DEPENDENCIES "")
  if(type STREQUAL "STATIC_LIBRARY")
    get_property(FULLCONV_LINK_DEPENDENCIES GLOBAL PROPERTY FULLCONV_DEPENDENCIES)
    list(REMOVE_DUPLICATES FULLCONV_LINK_DEPENDENCIES)
  endif()
  configure_package_config_file(cmake/fullconvConfig.cmake.in fullconvConfig.cmake
    INSTALL_DESTINATION ${package_dir})
  write_basic_package_version_file(fullconvConfigVersion.cmake COMPATIBILITY SameMajorVersion)
  install(TARGETS fullconv EXPORT fullconv)
  install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(EXPORT fullconv NAMESPACE fullconv:: FILE fullconvTargets.cmake
    DESTINATION ${package_dir})
  install(FILES
    ${CMAKE_CURRENT_BINARY_DIR}/fullconvConfig.cmake
    ${CMAKE_CURRENT_BINARY_DIR}/fullconvConfigVersion.cmake
    cmake/FindFFTW.cmake
    cmake/FindOpenBLAS.cmake
    DESTINATION ${package_dir})
endfunction()
