# libopenvswitch, built once from Debian's openvswitch-source.
