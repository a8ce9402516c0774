-- loses: which publish took which late, corrected or cancelled tick; the log itself stays
drop procedure feature.publish(timestamptz, bigint);
drop table feature.restatement;
