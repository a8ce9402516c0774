-- loses: the registry; "make feast ARGS=apply" makes it anew
drop schema feast cascade;
