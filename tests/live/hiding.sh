# A worker whose descendants hide in every way they know:   sh hiding.sh FILE SECONDS
#
# All seven of them, itself included, have SECONDS in their command line; FILE gets its pid when
# they are there.
nap="sleep $2"

$nap &
setsid sh -c "$nap & wait" x "$2" &
setsid sh -c "setsid $nap & exit"
env -i setsid sh -c "cd /; $nap & exit"
(trap '' TERM INT QUIT HUP; setsid $nap &)
echo $$ > "$1"
exec $nap
