//! Numbers as text, appended to a buffer without allocating.

const PAIRS: &[u8; 200] = b"0001020304050607080910111213141516171819\
    2021222324252627282930313233343536373839\
    4041424344454647484950515253545556575859\
    6061626364656667686970717273747576777879\
    8081828384858687888990919293949596979899";

pub fn push_decimal(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    while number >= 100 {
        let pair = (number % 100) as usize * 2;
        number /= 100;
        at -= 2;
        digits[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    }
    if number >= 10 {
        let pair = number as usize * 2;
        at -= 2;
        digits[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    } else {
        at -= 1;
        digits[at] = b'0' + number as u8;
    }
    out.extend_from_slice(&digits[at..]);
}

/// Two digits, for `number` below 100.
pub fn push_two_digits(out: &mut Vec<u8>, number: u64) {
    let pair = (number % 100) as usize * 2;
    out.extend_from_slice(&PAIRS[pair..pair + 2]);
}

/// The lower 40 bits as ten lower-case hexadecimal digits.
pub fn push_hex_id(out: &mut Vec<u8>, number: u64) {
    let digits: [u8; 10] = std::array::from_fn(|at| hex_digit(number >> (36 - 4 * at)));
    out.extend_from_slice(&digits);
}

/// Lower-case hexadecimal without leading zeros, as in a group of an IPv6 address.
pub fn push_hex_group(out: &mut Vec<u8>, group: u16) {
    let digits: [u8; 4] = std::array::from_fn(|at| hex_digit(u64::from(group) >> (12 - 4 * at)));
    let leading = digits.iter().take_while(|digit| **digit == b'0').count().min(3);
    out.extend_from_slice(&digits[leading..]);
}

fn hex_digit(number: u64) -> u8 {
    b"0123456789abcdef"[(number & 15) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_print_as_the_standard_library_prints_them() {
        for number in [0, 7, 10, 99, 100, 101, 9_999, 12_345, 1_793_509_323_000_001, u64::MAX] {
            let mut out = Vec::new();
            push_decimal(&mut out, number);
            assert_eq!(out, number.to_string().into_bytes());
            out.clear();
            push_hex_id(&mut out, number);
            assert_eq!(out, format!("{:010x}", number & 0xff_ffff_ffff).into_bytes());
            out.clear();
            push_hex_group(&mut out, number as u16);
            assert_eq!(out, format!("{:x}", number as u16).into_bytes());
            out.clear();
            push_two_digits(&mut out, number);
            assert_eq!(out, format!("{:02}", number % 100).into_bytes());
        }
    }
}
