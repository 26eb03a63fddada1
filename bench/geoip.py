"""Looking addresses up."""

from load import compare, wrk


def geoip(small, results, rounds, seconds, constant):
    """Addresses at random through nginx with an API key, at 16 connections; from the databases of FL_GEOIP_DIR."""
    told = small.call("GET", "/api/geoip/databases")
    names = [row["name"] for row in told["databases"] if row["type"]]
    if not names:
        results.promise(False, "there is no GeoIP database: scripts/setup makes one")
        return
    wrk(small.url, 16, 2, "addresses", key=small.key)
    compare(results, "GET /api/geoip/{ip}, any address", rounds,
            lambda: wrk(small.url, 16, seconds, "addresses", key=small.key),
            lambda: wrk(constant, 16, seconds, "addresses", key=small.key), note=", ".join(names))
    path = "/api/geoip/81.2.69.142/simple"
    compare(results, "GET /api/geoip/{ip}/simple, the same one", rounds,
            lambda: wrk(small.url + path, 16, seconds, key=small.key),
            lambda: wrk(constant + path, 16, seconds, key=small.key))
