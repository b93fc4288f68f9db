// OpenSSL takes a buffer of 17 KiB for each TLS record and gives it back with the record, so that a
// silent connection has none: those of a thread are kept for the next record, of whatever
// connection.
#pragma once

namespace verbatim::server {

/// Once, before anything of OpenSSL is used. No effect if it has been used already.
void recycle_record_buffers();

}  // namespace verbatim::server
