-- loses: nothing; the functions that return it go along, make migrate makes them again
drop type feature.pit_row cascade;
