"""A real RTSP camera for the tests: GStreamer's server, run by Debian's own python3.

    /usr/bin/python3 rtsp_server.py [--port 8554] [--user NAME --password WORD] [--size 64x48] …

Serves rtsp://127.0.0.1:PORT/live (a test picture with a running counter, H.264) and prints the
port when it accepts connections. With ``--file``, plays a video file instead, once a session.
"""

import argparse
import sys
from typing import Any

import gi  # type: ignore[import-not-found]  # Debian's, for Debian's python

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import (  # type: ignore[import-not-found]  # noqa: E402  (versions come first)
    GLib,
    Gst,
    GstRtspServer,
)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--size", default="64x48")
    parser.add_argument("--fps", type=int, default=25)
    parser.add_argument("--b-frames", type=int, default=0)
    parser.add_argument("--user")
    parser.add_argument("--password", default="")
    parser.add_argument("--file")
    return parser.parse_args()


def launch_line(options: argparse.Namespace) -> str:
    """The pipeline, as gst-launch writes it."""
    payload = "rtph264pay name=pay0 pt=96 config-interval=1"
    if options.file:
        return f'( filesrc location="{options.file}" ! qtdemux ! h264parse ! {payload} )'
    width, height = options.size.split("x")
    return (
        f"( videotestsrc is-live=true pattern=ball ! "
        f"video/x-raw,format=I420,width={width},height={height},framerate={options.fps}/1 ! "
        f"x264enc tune=zerolatency speed-preset=ultrafast key-int-max={options.fps} "
        f"bframes={options.b_frames} threads=1 ! video/x-h264,profile=main ! {payload} )"
    )


def protect(server: Any, factory: Any, user: str, password: str) -> None:
    """Let only ``user`` in."""
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", user)
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)
    roles = GstRtspServer.RTSPPermissions()
    roles.add_permission_for_role(user, "media.factory.access", True)
    roles.add_permission_for_role(user, "media.factory.construct", True)
    factory.set_permissions(roles)


def main() -> None:
    options = arguments()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(options.port))
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(launch_line(options))
    factory.set_shared(not options.file)
    if options.user:
        protect(server, factory, options.user, options.password)
    server.get_mount_points().add_factory("/live", factory)
    if not server.attach(None):
        sys.exit(f"port {options.port} cannot be bound")
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
