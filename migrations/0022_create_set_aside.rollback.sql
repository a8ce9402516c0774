-- loses: which series are set aside; their bars stay in the queue, and one that fails stops all
drop table feature.set_aside cascade;
