"""Tables of nft, as `nft -j list ruleset` prints them (libnftables-json(5)), made ready to be executed."""
