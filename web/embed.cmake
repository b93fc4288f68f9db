# Writes OUT, a C++ file that holds the files of web/console and web/client: cmake -DROOT=... -DOUT=... -P
file(GLOB files RELATIVE ${ROOT} ${ROOT}/web/console/* ${ROOT}/web/docs/*
     ${ROOT}/web/client/*.js
     ${ROOT}/web/client/*.d.ts)
list(SORT files)
set(types .html text/html .css text/css .js text/javascript .ts text/plain .svg image/svg+xml
    .png image/png)
set(arrays "")
set(rows "")
set(number 0)
foreach(file ${files})
  get_filename_component(name ${file} NAME)
  get_filename_component(extension ${file} LAST_EXT)
  list(FIND types ${extension} at)
  if(at EQUAL -1)
    message(FATAL_ERROR "${file}: web/embed.cmake knows no Content-Type for ${extension}")
  endif()
  math(EXPR at "${at} + 1")
  list(GET types ${at} type)
  if(type MATCHES "^text/")
    string(APPEND type "; charset=utf-8")  # not in the list, which a semicolon would divide
  endif()
  if(file STREQUAL "web/console/index.html")
    set(path "/")
  elseif(file MATCHES "^web/docs/")
    set(path "/docs/${name}")
  elseif(file MATCHES "^web/client/")
    set(path "/web/${name}")
  else()
    set(path "/console/${name}")
  endif()
  file(SHA256 ${ROOT}/${file} hash)
  string(SUBSTRING ${hash} 0 32 hash)
  file(READ ${ROOT}/${file} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND arrays "// ${file}\nconstexpr unsigned char bytes_${number}[] = {${bytes}0};\n")
  string(APPEND rows "    {\"${path}\", \"${type}\", \"\\\"${hash}\\\"\", text(bytes_${number})},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(WRITE ${OUT} "// Made by web/embed.cmake.
#include \"server/api/assets.hpp\"

namespace verbatim::api {

namespace {

${arrays}
// Each array ends with a zero of its own, so that an empty file is one as well.
template <std::size_t size>
std::string_view text(const unsigned char (&bytes)[size]) {
  return {reinterpret_cast<const char*>(bytes), size - 1};
}

const Asset assets[] = {
${rows}};

}  // namespace

const Asset* find_asset(std::string_view path) {
  for (const Asset& asset : assets) {
    if (asset.path == path) return &asset;
  }
  return nullptr;
}

}  // namespace verbatim::api
")
