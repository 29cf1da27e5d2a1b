# Finds the headers of Armadillo: the target Armadillo::Headers. CMake's own module links its
# library as well, which would bring a second BLAS.

find_path(Armadillo_INCLUDE_DIR armadillo)
mark_as_advanced(Armadillo_INCLUDE_DIR)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Armadillo REQUIRED_VARS Armadillo_INCLUDE_DIR)

if(Armadillo_FOUND AND NOT TARGET Armadillo::Headers)
  add_library(Armadillo::Headers INTERFACE IMPORTED)
  set_target_properties(Armadillo::Headers PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES ${Armadillo_INCLUDE_DIR})
endif()
