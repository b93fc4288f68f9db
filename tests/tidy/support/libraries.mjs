// The libraries of the build: how CMake finds and names them, their headers, their packages, and
// their line in THIRD_PARTY.md. dependencies.test.mjs checks each column against what is there.

/**
 * - `find`: as in CMakeLists.txt or tests/CMakeLists.txt
 * - `targets`: its names in LINKS
 * - `header`: the beginning of its includes
 * - `development` and `runtime`: Debian packages; without `runtime`: headers only, or in the base image
 * - `notice`: its name in the table of THIRD_PARTY.md
 */
export const libraries = [
  // Asio and Beast are compiled once, so only what links verbatim_asio may include them.
  { name: 'Asio and Beast', find: 'Boost', targets: ['verbatim_asio'], header: /^boost\/(asio|beast)[/.]/, development: 'libboost1.81-dev', notice: 'Boost' },
  { name: 'Boost', find: 'Boost', targets: ['Boost::headers'], header: /^boost\//, development: 'libboost1.81-dev', notice: 'Boost' },
  { name: 'libcurl', find: 'CURL', targets: ['CURL::libcurl'], header: /^curl\//, development: 'libcurl4-openssl-dev', runtime: 'libcurl4', notice: 'libcurl' },
  { name: 'OpenSSL', find: 'OpenSSL', targets: ['OpenSSL::Crypto', 'OpenSSL::SSL'], header: /^openssl\//, development: 'libssl-dev', runtime: 'libssl3', notice: 'OpenSSL' },
  { name: 'SQLite', find: 'SQLiteCpp', targets: ['sqlite3'], header: /^sqlite3\.h$/, development: 'libsqlite3-dev', runtime: 'libsqlite3-0', notice: 'SQLite 3' },
  { name: 'SQLiteCpp', find: 'SQLiteCpp', targets: ['SQLiteCpp'], header: /^SQLiteCpp\//, development: 'libsqlitecpp-dev', notice: 'SQLiteCpp' },
  { name: 'nlohmann_json', find: 'nlohmann_json', targets: ['nlohmann_json::nlohmann_json'], header: /^nlohmann\//, development: 'nlohmann-json3-dev', notice: 'nlohmann/json' },
  { name: 'toml++', find: 'tomlplusplus', targets: ['tomlplusplus::tomlplusplus'], header: /^toml\+\+\//, development: 'libtomlplusplus-dev', runtime: 'libtomlplusplus3', notice: 'toml++' },
  { name: 'CLI11', find: 'CLI11', targets: ['CLI11::CLI11'], header: /^CLI\//, development: 'libcli11-dev', notice: 'CLI11' },
  { name: 'tl::expected', find: 'tl-expected', targets: ['tl::expected'], header: /^tl\/expected/, development: 'libexpected-dev', notice: 'tl::expected' },
  { name: 'prometheus-cpp', find: 'prometheus-cpp', targets: ['prometheus-cpp::core'], header: /^prometheus\//, development: 'prometheus-cpp-dev', runtime: 'libprometheus-cpp-core1.0', notice: 'prometheus-cpp' },
  { name: 'libpq', find: 'PostgreSQL', targets: ['PostgreSQL::PostgreSQL'], header: /^libpq-fe\.h$/, development: 'libpq-dev', runtime: 'libpq5', notice: 'libpq' },
  { name: 're2', find: 'RE2_LIBRARY', targets: ['${RE2_LIBRARY}'], header: /^re2\//, development: 'libre2-dev', runtime: 'libre2-9', notice: 'RE2' },
  { name: 'simdjson', find: 'simdjson', targets: ['simdjson::simdjson'], header: /^simdjson\.h$/, development: 'libsimdjson-dev', runtime: 'libsimdjson14', notice: 'simdjson' },
  { name: 'zlib', find: 'ZLIB', targets: ['ZLIB::ZLIB'], header: /^zlib\.h$/, development: 'zlib1g-dev', runtime: 'zlib1g', notice: 'zlib' },
  { name: 'libFLAC', find: 'FLAC_LIBRARY', targets: ['${FLAC_LIBRARY}'], header: /^FLAC\//, development: 'libflac-dev', runtime: 'libflac12', notice: 'libFLAC' },
  { name: 'libopus', find: 'OPUS_LIBRARY', targets: ['${OPUS_LIBRARY}'], header: /^opus\.h$/, development: 'libopus-dev', runtime: 'libopus0', notice: 'libopus' },
  { name: 'libopusenc', find: 'OPUSENC_LIBRARY', targets: ['${OPUSENC_LIBRARY}'], header: /^opusenc\.h$/, development: 'libopusenc-dev', runtime: 'libopusenc0', notice: 'libopusenc' },
  { name: 'libopusfile', find: 'OPUSFILE_LIBRARY', targets: ['${OPUSFILE_LIBRARY}'], header: /^opusfile\.h$/, development: 'libopusfile-dev', runtime: 'libopusfile0', notice: 'libopusfile' },
  { name: 'Catch2', find: 'Catch2', targets: ['Catch2::Catch2'], header: /^catch2\//, development: 'catch2', notice: 'Catch2' },
];

/** The library of which `<path>` is a header; undefined for the standard library and the system. */
export const libraryOf = (path) => libraries.find(({ header }) => header.test(path));
