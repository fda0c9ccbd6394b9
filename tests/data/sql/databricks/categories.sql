SELECT `stretch`.`c0`, count(*) AS `count_1` 
FROM (SELECT CAST(`logs`.`predictions`.`carrier` AS STRING) AS `c0` 
FROM `logs`.`predictions` 
WHERE `logs`.`predictions`.`ts` >= TIMESTAMP '2013-04-01 10:00:00+00:00' AND `logs`.`predictions`.`ts` < TIMESTAMP '2013-04-01 13:00:00+00:00') AS `stretch` 
WHERE `stretch`.`c0` IS NOT NULL GROUP BY `stretch`.`c0` ORDER BY count(*) DESC, `stretch`.`c0`
 LIMIT 10001;

