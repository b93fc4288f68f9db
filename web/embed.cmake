# Writes OUT, a C++ file that holds the pages of web/ and the built client library: cmake -DROOT=...
# -DCLIENT=FOLDER -DOUT=... -P A module of the library has its content's hash in its name, so that
# browsers may keep it for ever. Under its plain name, a one-line module exports it, so that a page
# gets the current one.
set(types .html text/html .css text/css .js text/javascript .ts text/plain .jsx text/plain .vue text/plain
    .svelte text/plain .svg image/svg+xml .png image/png)
set(arrays "")
set(rows "")
set(number 0)

# The Content-Type for a file's name.
function(type_of name result)
  get_filename_component(extension ${name} LAST_EXT)
  list(FIND types ${extension} at)
  if(at EQUAL -1)
    message(FATAL_ERROR "${name}: web/embed.cmake knows no Content-Type for ${extension}")
  endif()
  math(EXPR at "${at} + 1")
  list(GET types ${at} type)
  if(type MATCHES "^text/")
    string(APPEND type "; charset=utf-8")  # added here, because a semicolon in the list `types` would divide it
  endif()
  set(${result} "${type}" PARENT_SCOPE)
endfunction()

# `hex` as a C++ array.
macro(add_array hex)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND arrays "constexpr unsigned char bytes_${number}[] = {${bytes}0};\n")
  math(EXPR number "${number} + 1")
endmacro()

# Serves `file` at the paths that follow. `immutable` is "true" if its address has its hash.
macro(add_file file immutable)
  type_of(${file} type)
  file(SHA256 ${file} tag)
  string(SUBSTRING ${tag} 0 32 tag)
  file(READ ${file} hex HEX)
  set(plain "text(bytes_${number})")
  add_array("${hex}")
  set(packed "{}")
  if(type MATCHES "^text/")
    execute_process(COMMAND gzip --no-name --best --stdout ${file} OUTPUT_FILE ${OUT}.gz
                    COMMAND_ERROR_IS_FATAL ANY)
    file(READ ${OUT}.gz hex HEX)
    file(REMOVE ${OUT}.gz)
    set(packed "text(bytes_${number})")
    add_array("${hex}")
  endif()
  foreach(path ${ARGN})
    string(APPEND rows
           "    {\"${path}\", \"${type}\", \"\\\"${tag}\\\"\", ${plain}, ${packed}, ${immutable}},\n")
  endforeach()
endmacro()

# Serves a line of text at `path`.
macro(add_line path line)
  type_of(${path} type)
  string(SHA256 line_hash "${line}")
  string(SUBSTRING ${line_hash} 0 32 line_hash)
  string(APPEND rows "    {\"${path}\", \"${type}\", \"\\\"${line_hash}\\\"\", \"${line}\\n\", {}, false},\n")
endmacro()

file(GLOB files RELATIVE ${ROOT} ${ROOT}/web/console/* ${ROOT}/web/docs/* ${ROOT}/web/examples/*)
list(SORT files)
foreach(file ${files})
  get_filename_component(name ${file} NAME)
  get_filename_component(folder ${file} DIRECTORY)
  get_filename_component(folder ${folder} NAME)
  if(file STREQUAL "web/console/index.html")
    set(path "/")
  elseif(name STREQUAL "index.html")
    set(path "/${folder}")
  else()
    set(path "/${folder}/${name}")
  endif()
  add_file(${ROOT}/${file} false ${path})
endforeach()

file(GLOB files ${CLIENT}/*.js ${CLIENT}/*.d.ts)
list(SORT files)
foreach(file ${files})
  get_filename_component(name ${file} NAME)
  if(name MATCHES "\\.d\\.ts$" OR name STREQUAL "worklets.js")
    add_file(${file} false /web/v1/${name})
  else()
    get_filename_component(stem ${file} NAME_WE)
    file(SHA256 ${file} hash)
    string(SUBSTRING ${hash} 0 16 hash)
    add_file(${file} true /web/v1/${stem}.${hash}.js)
    add_line(/web/v1/${name} "export * from './${stem}.${hash}.js'")
    if(stem STREQUAL "verbatim")
      # The address of earlier releases.
      add_line(/web/conversation.js "export * from './v1/${stem}.${hash}.js'")
      add_line(/web/conversation.d.ts "export * from './v1/verbatim.js'")
    endif()
  endif()
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

std::span<const Asset> all_assets() { return assets; }

}  // namespace verbatim::api
")
