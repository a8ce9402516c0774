-- loses: nothing
drop view market.dead_letter_count;
