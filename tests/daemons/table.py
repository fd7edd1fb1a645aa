# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: E501  # configurations and command lines stay as they are written
"""Daemons of Debian 12 in their forking configuration.

``prepare`` is a shell script that is run once; ``$W`` in it and in the others is a folder of the daemon's own. Each has
a port of its own on 127.0.0.1, so that all can run beside each other.
"""

from __future__ import annotations

from typing import NamedTuple, Optional


class Daemon(NamedTuple):
    """``pidfile``: the one that the daemon itself writes, "" for none. ``expect``: what fits, None where it varies.

    ``few``: tried in every run of the tests. ``pre_start``: what the job needs before each start.
    """

    name: str
    package: str
    command: str
    pidfile: str
    expect: Optional[str] = "fork"
    prepare: str = ""
    setuid: str = ""
    few: bool = False
    pre_start: str = ""


DAEMONS = (
    Daemon("nginx", "nginx-light", "/usr/sbin/nginx -c $W/conf", "$W/pid", few=True, prepare="""
cat >$W/conf <<END
pid $W/pid;
error_log $W/log;
events {}
http { access_log off; server { listen 127.0.0.1:8001; } }
END
"""),
    Daemon("apache2", "apache2", "/usr/sbin/apache2 -f $W/conf -k start", "$W/pid", few=True, prepare="""
cat >$W/conf <<END
ServerRoot /etc/apache2
ServerName localhost
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
Listen 127.0.0.1:8002
DefaultRuntimeDir $W
PidFile $W/pid
ErrorLog $W/log
User www-data
Group www-data
END
"""),
    Daemon("apachectl", "apache2", "/usr/sbin/apachectl start", "/run/apache2/apache2.pid", "auto", prepare="""
echo 'Listen 127.0.0.1:8003' >/etc/apache2/ports.conf
"""),
    Daemon("redis-server", "redis-server",
           "/usr/bin/redis-server --daemonize yes --port 8004 --pidfile $W/pid --dir $W", "$W/pid", few=True),
    Daemon("postgresql", "postgresql",
           "/usr/lib/postgresql/15/bin/pg_ctl start -D $W/data -l $W/log -o \"-p 8005 -k /tmp\"",
           "$W/data/postmaster.pid", "auto", setuid="postgres", few=True, prepare="""
chown postgres $W
setpriv --reuid=postgres --regid=postgres --init-groups /usr/lib/postgresql/15/bin/initdb -N -D $W/data >$W/initdb 2>&1
"""),
    Daemon("mariadb-safe", "mariadb-server",
           "/usr/bin/mariadbd-safe --no-defaults --datadir=$W/data --pid-file=$W/pid --socket=$W/socket --port=8006 "
           "--user=mysql", "", "pidfile $W/pid", prepare="""
chown mysql $W
mariadb-install-db --no-defaults --datadir=$W/data --user=mysql >$W/install 2>&1
"""),
    Daemon("mariadb", "mariadb-server",
           "/sbin/start-stop-daemon --start --background --exec /usr/sbin/mariadbd -- --no-defaults --datadir=$W/data "
           "--pid-file=$W/pid --socket=$W/socket --port=8007 --user=mysql", "$W/pid", "daemon", prepare="""
chown mysql $W
mariadb-install-db --no-defaults --datadir=$W/data --user=mysql >$W/install 2>&1
"""),
    Daemon("sshd", "openssh-server", "/usr/sbin/sshd -o PidFile=$W/pid -p 8008", "$W/pid", few=True, prepare="""
mkdir -p /run/sshd
"""),
    Daemon("dbus-daemon", "dbus", "/usr/bin/dbus-daemon --fork --config-file=$W/conf", "$W/pid", few=True,
           pre_start="rm -f $W/pid", prepare="""
cat >$W/conf <<END
<busconfig><type>session</type><listen>unix:path=$W/bus</listen><pidfile>$W/pid</pidfile><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*"/></policy></busconfig>
END
"""),
    Daemon("cron", "cron", "/usr/sbin/cron", "/run/crond.pid", few=True),
    Daemon("rsyslogd", "rsyslog", "/usr/sbin/rsyslogd -i $W/pid -f $W/conf", "$W/pid", few=True, prepare="""
cat >$W/conf <<END
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="$W/socket")
*.* $W/log
END
"""),
    Daemon("haproxy", "haproxy", "/usr/sbin/haproxy -D -W -f $W/conf -p $W/pid", "$W/pid", few=True, prepare="""
cat >$W/conf <<END
defaults
  mode tcp
  timeout connect 1s
  timeout client 1s
  timeout server 1s
listen x
  bind 127.0.0.1:8010
END
"""),
    Daemon("memcached", "memcached", "/usr/bin/memcached -d -u memcache -l 127.0.0.1 -p 8011 -P $W/pid", "$W/pid",
           few=True, prepare="chown memcache $W"),
    Daemon("php-fpm", "php-fpm", "/usr/sbin/php-fpm8.2 --daemonize --fpm-config $W/conf", "$W/pid", few=True, prepare="""
cat >$W/conf <<END
[global]
pid = $W/pid
error_log = $W/log
daemonize = yes
[www]
user = www-data
listen = 127.0.0.1:8012
pm = static
pm.max_children = 2
END
"""),
    Daemon("squid", "squid", "/usr/sbin/squid -f $W/conf", "$W/pid", few=True, prepare="""
chown proxy $W
cat >$W/conf <<END
http_port 127.0.0.1:8013
pid_filename $W/pid
access_log none
cache_log $W/log
coredump_dir $W
END
"""),
    Daemon("lighttpd", "lighttpd", "/usr/sbin/lighttpd -f $W/conf", "$W/pid", "daemon", prepare="""
cat >$W/conf <<END
server.document-root = "/var/www"
server.port = 8014
server.bind = "127.0.0.1"
server.pid-file = "$W/pid"
END
"""),
    Daemon("named", "bind9", "/usr/sbin/named -u bind -c $W/conf", "$W/pid", prepare="""
chown bind $W
cat >$W/conf <<END
options { directory "$W"; pid-file "$W/pid"; listen-on port 8015 { 127.0.0.1; }; listen-on-v6 { none; };
  session-keyfile "$W/key"; recursion no; };
controls {};
END
"""),
    Daemon("dnsmasq", "dnsmasq", "/usr/sbin/dnsmasq -C $W/conf", "$W/pid", "daemon", prepare="""
cat >$W/conf <<END
port=8016
listen-address=127.0.0.1
bind-interfaces
no-resolv
pid-file=$W/pid
END
"""),
    Daemon("proftpd", "proftpd-core", "/usr/sbin/proftpd -c $W/conf", "$W/pid", prepare="""
cat >$W/conf <<END
ServerName x
DefaultAddress 127.0.0.1
Port 8017
ServerType standalone
PidFile $W/pid
ScoreboardFile $W/score
User nobody
Group nogroup
WtmpLog off
DelayEngine off
END
"""),
    Daemon("exim4", "exim4-daemon-light", "/usr/sbin/exim4 -C $W/conf -bd -oX 127.0.0.1.8018 -oP $W/pid", "$W/pid", "auto", prepare="""
chown Debian-exim $W
cat >$W/conf <<END
primary_hostname = localhost
spool_directory = $W
log_file_path = $W/%slog
END
chmod 644 $W/conf
"""),
    Daemon("dovecot", "dovecot-core", "/usr/sbin/dovecot -c $W/conf", "$W/run/master.pid", prepare="""
cat >$W/conf <<END
base_dir = $W/run
log_path = $W/log
protocols =
ssl = no
END
"""),
    Daemon("ntpd", "ntpsec", "/usr/sbin/ntpd -p $W/pid -c /dev/null -x", "$W/pid"),
    Daemon("snmpd", "snmpd", "/usr/sbin/snmpd -p $W/pid -C -c $W/conf -Lf $W/log udp:127.0.0.1:8021", "$W/pid", "daemon", prepare="""
echo rocommunity public >$W/conf
"""),
    Daemon("smbd", "samba", "/usr/sbin/smbd -D -p 8023 -s $W/conf", "$W/pid/smbd.pid", "auto", prepare="""
mkdir -p $W/pid $W/lock $W/state $W/cache $W/private
cat >$W/conf <<END
[global]
pid directory = $W/pid
lock directory = $W/lock
state directory = $W/state
cache directory = $W/cache
private dir = $W/private
ncalrpc dir = $W/lock/rpc
log file = $W/log
bind interfaces only = yes
interfaces = 127.0.0.1
load printers = no
disable spoolss = yes
END
"""),
    Daemon("nmbd", "samba", "/usr/sbin/nmbd -D -p 8024 -s $W/conf", "$W/pid/nmbd.pid", prepare="""
mkdir -p $W/pid $W/lock $W/state $W/cache $W/private
cat >$W/conf <<END
[global]
pid directory = $W/pid
lock directory = $W/lock
state directory = $W/state
cache directory = $W/cache
private dir = $W/private
log file = $W/log
END
"""),
    Daemon("cupsd", "cups-daemon", "/usr/sbin/cupsd -c $W/conf -s $W/files", "", prepare="""
mkdir -p $W/run $W/spool $W/cache $W/root
cat >$W/conf <<END
Listen 127.0.0.1:8025
END
cat >$W/files <<END
StateDir $W/run
RequestRoot $W/spool
CacheDir $W/cache
ServerRoot $W/root
AccessLog $W/access
ErrorLog $W/error
END
"""),
    Daemon("avahi-daemon", "avahi-daemon", "/usr/sbin/avahi-daemon -D --no-rlimits --no-drop-root --no-chroot -f $W/conf",
           "/run/avahi-daemon/pid", "daemon", prepare="""
mkdir -p /run/avahi-daemon
printf '[server]\\nenable-dbus=no\\nallow-interfaces=lo\\n' >$W/conf
"""),
    Daemon("unbound", "unbound", "/usr/sbin/unbound -c $W/conf", "$W/pid", prepare="""
cat >$W/conf <<END
server:
  interface: 127.0.0.1@8027
  pidfile: $W/pid
  chroot: ""
  directory: $W
  username: ""
  use-syslog: no
END
"""),
    Daemon("nsd", "nsd", "/usr/sbin/nsd -c $W/conf", "$W/pid", prepare="""
cat >$W/conf <<END
server:
  ip-address: 127.0.0.1@8028
  pidfile: $W/pid
  zonesdir: $W
  database: ""
  xfrdfile: $W/xfrd
  xfrdir: $W
  zonelistfile: $W/zones
  logfile: $W/log
  username: ""
remote-control:
  control-enable: no
END
"""),
    Daemon("varnishd", "varnish", "/usr/sbin/varnishd -a 127.0.0.1:8029 -b none -P $W/pid -n $W/work -s malloc,8m", "$W/pid"),
    Daemon("stunnel", "stunnel4", "/usr/bin/stunnel4 $W/conf", "$W/pid", prepare="""
cat >$W/conf <<END
pid = $W/pid
output = $W/log
[x]
client = yes
accept = 127.0.0.1:8030
connect = 127.0.0.1:1
END
"""),
    Daemon("tinyproxy", "tinyproxy", "/usr/bin/tinyproxy -c $W/conf", "$W/pid", "daemon", prepare="""
printf 'Port 8031\\nListen 127.0.0.1\\nPidFile "$W/pid"\\nLogFile "$W/log"\\nMaxClients 5\\n' >$W/conf
"""),
    Daemon("privoxy", "privoxy", "/usr/sbin/privoxy --pidfile $W/pid $W/conf", "$W/pid", prepare="""
printf 'listen-address 127.0.0.1:8032\\nlogdir $W\\n' >$W/conf
"""),
    Daemon("keepalived", "keepalived", "/usr/sbin/keepalived -f $W/conf -p $W/pid -r $W/vrrp -c $W/check", "$W/pid", prepare="""
printf 'global_defs {\\n}\\n' >$W/conf
"""),
    Daemon("monit", "monit", "/usr/bin/monit -c $W/conf -p $W/pid", "$W/pid", "daemon", prepare="""
printf 'set daemon 60\\nset log $W/log\\nset idfile $W/id\\nset statefile $W/state\\n' >$W/conf
chmod 600 $W/conf
"""),
    Daemon("atd", "at", "/usr/sbin/atd", "/run/atd.pid"),
    Daemon("inetd", "openbsd-inetd", "/usr/sbin/inetd $W/conf", "/run/inetd.pid", "notify", prepare="""
echo '127.0.0.1:8036 stream tcp nowait nobody /bin/cat cat' >$W/conf
"""),
    Daemon("rinetd", "rinetd", "/usr/sbin/rinetd -c $W/conf", "$W/pid", prepare="""
printf '127.0.0.1 8038 127.0.0.1 1\\npidlogfile $W/pid\\n' >$W/conf
"""),
    Daemon("dropbear", "dropbear-bin", "/usr/sbin/dropbear -R -p 127.0.0.1:8039 -P $W/pid", "$W/pid", prepare="""
mkdir -p /etc/dropbear
"""),
    Daemon("nrpe", "nagios-nrpe-server", "/usr/sbin/nrpe -c $W/conf -d", "$W/pid", prepare="""
chown nagios $W
printf 'server_port=8040\\nserver_address=127.0.0.1\\nnrpe_user=nagios\\nnrpe_group=nagios\\npid_file=$W/pid\\n' >$W/conf
"""),
    Daemon("pgbouncer", "pgbouncer", "/usr/sbin/pgbouncer -d $W/conf", "$W/pid", "daemon", setuid="postgres", prepare="""
chown postgres $W
printf '[databases]\\n[pgbouncer]\\nlisten_port=8041\\nlisten_addr=127.0.0.1\\nunix_socket_dir=\\nlogfile=$W/log\\npidfile=$W/pid\\nauth_type=any\\n' >$W/conf
"""),
    Daemon("mosquitto", "mosquitto", "/usr/sbin/mosquitto -d -c $W/conf", "$W/pid", prepare="""
printf 'listener 8043 127.0.0.1\\npid_file $W/pid\\nuser root\\n' >$W/conf
"""),
    Daemon("rsyncd", "rsync", "/usr/bin/rsync --daemon --config=$W/conf", "$W/pid", prepare="""
printf 'pid file = $W/pid\\nport = 8044\\naddress = 127.0.0.1\\nlog file = $W/log\\n' >$W/conf
"""),
    Daemon("freeradius", "freeradius", "/usr/sbin/freeradius", "/run/freeradius/freeradius.pid", prepare="""
mkdir -p /run/freeradius
chown freerad /run/freeradius
"""),
    Daemon("distccd", "distcc", "/usr/bin/distccd --daemon --pid-file $W/pid --port 8047 --allow 127.0.0.1 --user nobody "
           "--log-file $W/log", "$W/pid", prepare="chown nobody $W"),
    Daemon("nbd-server", "nbd-server", "/bin/nbd-server -C $W/conf -p $W/pid", "$W/pid", prepare="""
printf '[generic]\\nport = 8048\\nlistenaddr = 127.0.0.1\\nallowlist = true\\n[x]\\nexportname = $W/disk\\n' >$W/conf
truncate -s 1M $W/disk
"""),
    Daemon("zabbix-agent", "zabbix-agent", "/usr/sbin/zabbix_agentd -c $W/conf", "$W/pid", "daemon", prepare="""
printf 'PidFile=$W/pid\\nLogFile=$W/log\\nServer=127.0.0.1\\nListenPort=8049\\nListenIP=127.0.0.1\\nAllowRoot=1\\nHostname=x\\n' >$W/conf
"""),
    Daemon("uwsgi", "uwsgi-core", "/usr/bin/uwsgi-core --daemonize $W/log --master --pidfile $W/pid --socket 127.0.0.1:8050 "
           "--processes 2", "$W/pid", "daemon"),
    Daemon("mini-httpd", "mini-httpd", "/usr/sbin/mini_httpd -p 8052 -h 127.0.0.1 -d $W -i $W/pid -u nobody", "$W/pid"),
    Daemon("opendkim", "opendkim", "/usr/sbin/opendkim -x $W/conf -p inet:8053@127.0.0.1 -P $W/pid -u nobody", "$W/pid", prepare="""
chown nobody $W
printf 'Mode v\\nBackground yes\\n' >$W/conf
"""),
    Daemon("collectd", "collectd-core", "/usr/sbin/collectd -C $W/conf -P $W/pid", "$W/pid", "notify", prepare="""
printf 'Interval 10\\nBaseDir "$W"\\nLoadPlugin logfile\\nLoadPlugin load\\n<Plugin logfile>\\nFile "$W/log"\\n</Plugin>\\n' >$W/conf
"""),
    Daemon("sslh", "sslh", "/usr/sbin/sslh --user nobody --listen 127.0.0.1:8055 --ssh 127.0.0.1:1 --pidfile $W/pid", "$W/pid",
           prepare="chown nobody $W"),
    Daemon("gpsd", "gpsd", "/usr/sbin/gpsd -P $W/pid -S 8058 -F $W/control", "$W/pid"),
    Daemon("oidentd", "oidentd", "/usr/sbin/oidentd -a 127.0.0.1 -p 8059 -u nobody -g nogroup", ""),
    Daemon("ser2net", "ser2net", "/usr/sbin/ser2net -c $W/conf -P $W/pid", "$W/pid", "daemon", prepare="""
printf 'connection: &c\\n  accepter: tcp,127.0.0.1,8060\\n  connector: serialdev,/dev/null,9600n81,local\\n' >$W/conf
"""),
    Daemon("lldpd", "lldpd", "/usr/sbin/lldpd -u $W/socket", "/run/lldpd.pid", "notify", prepare="mkdir -p /run/lldpd"),
    Daemon("uuidd", "uuid-runtime", "/usr/sbin/uuidd -p $W/pid -s $W/socket", "$W/pid"),
    Daemon("bird", "bird2", "/usr/sbin/bird -c $W/conf -s $W/control -P $W/pid", "$W/pid", prepare="""
printf 'router id 127.0.0.1;\\nprotocol device {}\\n' >$W/conf
"""),
    Daemon("knotd", "knot", "/usr/sbin/knotd -d -c $W/conf", "$W/run/knot.pid", prepare="""
mkdir -p $W/run $W/db
printf 'server:\\n  rundir: $W/run\\n  listen: 127.0.0.1@8065\\ndatabase:\\n  storage: $W/db\\nlog:\\n- target: $W/log\\n  any: info\\n' >$W/conf
"""),
    Daemon("pdns", "pdns-server", "/usr/sbin/pdns_server --daemon=yes --config-dir=$W --socket-dir=$W --guardian=no", "$W/pdns.pid",
           prepare="""
printf 'launch=bind\\nbind-config=$W/named\\nlocal-address=127.0.0.1\\nlocal-port=8066\\nwrite-pid=yes\\n' >$W/pdns.conf
: >$W/named
"""),
    Daemon("nscd", "nscd", "/usr/sbin/nscd", "/run/nscd/nscd.pid", prepare="mkdir -p /run/nscd"),
)  # fmt: skip
