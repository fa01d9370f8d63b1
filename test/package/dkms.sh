#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The module by dkms: built for suitable kernels, others skipped with a reason, and a new kernel that is not suitable
# does not fail to install because of it. Runs in a mount namespace with system folders of its own.
set -u

cd "$(dirname "$0")/../.." || exit
if [ "${1:-}" != inside ]; then
	if [ "$(id -u)" -ne 0 ] || ! unshare -m true 2>/dev/null; then
		echo "needs root and a mount namespace, to have system folders of its own"
		exit 77
	fi
	exec unshare -m "$0" inside
fi

kernel=build/kernels/6.12
[ -e "$kernel/release" ] || { echo "there is no Debian kernel 6.12"; exit 77; }
release=$(cat "$kernel/release")

mkdir -p /lib/modules /var/lib/dkms
for folder in /lib/modules /var/lib/dkms /usr/src; do
	mount -t tmpfs tmpfs "$folder" || exit
done
. test/package/parts/tap.sh
mkdir -p "/lib/modules/$release" /lib/modules/6.99.0-new/build/include /lib/modules/6.12.0-bare/build/include
touch "/lib/modules/$release/modules.order" "/lib/modules/$release/modules.builtin"
touch /lib/modules/6.99.0-new/build/.config
ln -s "$PWD/$kernel/kdir" "/lib/modules/$release/build"
echo "CONFIG_MODULES=y" >/lib/modules/6.12.0-bare/build/.config

said() { grep -q "$1" "$work/log"; }
hook() { /usr/lib/dkms/dkms_autoinstaller start "$1" >"$work/log" 2>&1; }

# An older one, as root with private files had installed it.
install_older() {
	cp -r "$1" "$work/older" && rm -rf "$work/older/build" && echo 0.0.1 >"$work/older/VERSION" &&
		(umask 077 && "$work/older/tools/dkms.sh" install 6.99.0-new) && test -n "$(dkms status evl/0.0.1)"
}
mkdir "$work/tree" && cp -r Kbuild dkms.conf VERSION LICENSE LICENSES tools module uapi "$work/tree"
expect "an older version is there" install_older "$work/tree"
chmod -R go-rwx "$work/tree"
private() { (umask 077 && "$work/tree/tools/dkms.sh" install); }
expect "dkms-install succeeds, private as root's files may be" private
cp "$work/heard" "$work/log"
expect "the older version is gone" test -z "$(dkms status evl/0.0.1; find /usr/src -name 'evl-0.0.1')"
expect "everybody reads the sources, for drivers" test -z "$(find /usr/src/evl-* ! -perm -o=r; find /usr/src/evl-* -type d ! -perm -o=x)"
expect "it builds for a suitable kernel" said "installed for kernel $release"
expect "the module is there" test -n "$(find "/lib/modules/$release/updates" -name 'evl.ko*')"
expect "its symbols are kept for drivers" test -n "$(find /var/lib/dkms/evl -name Module.symvers)"
# As its author would, with nothing of this tree but what was installed.
build_driver() {
	make --no-print-directory install DESTDIR="$work/root" PREFIX=/usr/local &&
		cp -r examples/xbuf-driver "$work/driver" &&
		make -C "$work/driver" KDIR="/lib/modules/$release/build" \
			EVL_SRC="$work/root/usr/local/src/evl-$(cat VERSION)" &&
		[ "$(modinfo -F depends "$work/driver/xbuf-driver.ko")" = evl ]
}
expect "a driver builds with the headers installed, and finds those symbols" build_driver
expect "it skips a kernel out of bounds" said "skipping kernel 6.99.0-new: evl supports Linux 6.1 to 6.12$"
expect "it skips a kernel that lacks an option" said "skipping kernel 6.12.0-bare: it was built without"
expect "installing again succeeds" tools/dkms.sh install 6.99.0-new
expect "a new kernel out of bounds is no failure" hook 6.99.0-new
expect "its log says why evl is not built" said "skipping kernel 6.99.0-new"
expect "a new kernel that lacks an option is no failure" hook 6.12.0-bare
# On a machine of another kind.
mkdir "$work/bin" && printf '#!/bin/sh\ncase $1 in -m) echo aarch64 ;; *) exec /usr/bin/uname "$@" ;; esac\n' >"$work/bin/uname"
chmod +x "$work/bin/uname"
elsewhere() { ! PATH="$work/bin:$PATH" tools/dkms-suits.sh "$release" >"$work/log"; }
expect "no kernel suits on another kind of machine" elsewhere
expect "which it says" grep -qx "evl supports machines of x86_64, not aarch64" "$work/log"
# As upgrades left it before.
add_older() {
	cp -r "/usr/src/evl-$(cat VERSION)" /usr/src/evl-0.0.1 && echo 0.0.1 >/usr/src/evl-0.0.1/VERSION && dkms add evl/0.0.1
}
expect "an older version is there again" add_older
expect "dkms-remove succeeds" tools/dkms.sh remove
expect "no version is registered any more" test -z "$(dkms status evl)"
expect "nothing is left" test -z "$(find /usr/src /var/lib/dkms /lib/modules -name '*evl*')"
echo "1..$count"
