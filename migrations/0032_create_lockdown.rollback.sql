-- loses: nothing; what was taken from PUBLIC stays taken
drop procedure access.lockdown();
