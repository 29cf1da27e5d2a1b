# Finds OpenCV's image processing: the target OpenCV::imgproc. Its own configuration file comes, on
# Debian, only with all of its modules.

find_path(OpenCV_INCLUDE_DIR opencv2/imgproc.hpp PATH_SUFFIXES opencv4)
find_library(OpenCV_imgproc_LIBRARY opencv_imgproc)
find_library(OpenCV_core_LIBRARY opencv_core)
mark_as_advanced(OpenCV_INCLUDE_DIR OpenCV_imgproc_LIBRARY OpenCV_core_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OpenCV REQUIRED_VARS
  OpenCV_imgproc_LIBRARY OpenCV_core_LIBRARY OpenCV_INCLUDE_DIR)

if(OpenCV_FOUND AND NOT TARGET OpenCV::imgproc)
  add_library(OpenCV::imgproc UNKNOWN IMPORTED)
  set_target_properties(OpenCV::imgproc PROPERTIES
    IMPORTED_LOCATION ${OpenCV_imgproc_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${OpenCV_INCLUDE_DIR}
    INTERFACE_LINK_LIBRARIES ${OpenCV_core_LIBRARY})
endif()
