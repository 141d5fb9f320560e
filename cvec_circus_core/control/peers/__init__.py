"""Who is at the other end of a ZeroMQ socket: authentication, connections and their quotas."""
