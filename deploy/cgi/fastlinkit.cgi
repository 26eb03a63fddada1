#!/bin/sh
# The CGI program of a shared host: says where the settings are, outside of what the server shows, and
# becomes the real program.
FL_CONFIG="$HOME/fastlinkit/fastlinkit.env"
export FL_CONFIG
exec "$HOME/fastlinkit/bin/fastlinkit"
